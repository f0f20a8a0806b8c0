import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { codeOf, loadConfig, messageOf, z, type ConfigSources } from '../../base/index.ts';

const schema = z.strictObject({
  link: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: z.number().int().min(1).max(65535).default(8443),
      maxStreams: z.number().default(9),
    })
    .prefault({}),
  mode: z.enum(['fast', 'safe']).default('safe'),
  peers: z.array(z.string()).default([]),
  services: z.record(z.string(), z.strictObject({ url: z.string() })).default({}),
  store: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('embedded'), file: z.string() }),
      z.strictObject({ kind: z.literal('etcd'), urls: z.array(z.string()) }),
    ])
    .optional(),
});

async function load(t: Test, yaml: string | undefined, sources: ConfigSources = {}) {
  const file = yaml === undefined ? undefined : join(t.testdir(), 'gateway.yaml');
  if (file !== undefined) await writeFile(file, yaml ?? '');
  return await loadConfig(schema, { file, envPrefix: 'CAUSEWAY_GATEWAY', ...sources });
}

async function failure(t: Test, yaml: string | undefined, sources: ConfigSources = {}) {
  try {
    await load(t, yaml, sources);
  } catch (error) {
    return { code: codeOf(error), text: messageOf(error).replaceAll(`${t.testdirName}/`, '') };
  }
  throw new Error('the configuration was accepted');
}

t.test('defaults stand where nothing is said', async (t) => {
  t.match(await load(t, undefined), { link: { host: '127.0.0.1', port: 8443 }, mode: 'safe', peers: [] });
  t.match(await load(t, ''), { mode: 'safe' }, 'an empty file says nothing');
});

t.test('flags win over the environment, and the environment over the file', async (t) => {
  const env = {
    CAUSEWAY_GATEWAY_LINK_PORT: '2000',
    CAUSEWAY_GATEWAY_LINK_MAX_STREAMS: '5',
    CAUSEWAY_GATEWAY_LINK_HOST: '',
  };
  const config = await load(t, 'link:\n  port: 1000\n  host: a\nmode: fast\n', {
    env,
    flags: { link: { port: 3000, host: undefined } },
  });
  t.strictSame(config.link, { port: 3000, maxStreams: 5, host: 'a' });
  t.equal(config.mode, 'fast');
});

t.test('a variable can set a whole list or object', async (t) => {
  const env = {
    CAUSEWAY_GATEWAY_PEERS: 'a, b',
    CAUSEWAY_GATEWAY_SERVICES: '{hello: {url: "http://x"}}',
    CAUSEWAY_GATEWAY_STORE_KIND: 'embedded',
    CAUSEWAY_GATEWAY_STORE_FILE: '12',
  };
  const config = await load(t, undefined, { env });
  t.strictSame(config.peers, ['a', 'b']);
  t.strictSame(config.services, { hello: { url: 'http://x' } });
  t.strictSame(config.store, { kind: 'embedded', file: '12' }, 'a string stays one, whatever it looks like');
});

t.test('every problem is named with its file, line, key and what is allowed', async (t) => {
  const { code, text } = await failure(
    t,
    'mode: quick\nlink:\n  # a comment\n  prot: 1\n  port: high\npeers:\n  - a\n  - 7\n',
  );
  t.equal(code, 'config-invalid');
  t.match(text, 'gateway.yaml:1: mode:');
  t.match(text, 'allowed: "fast" | "safe"');
  t.match(text, 'gateway.yaml:4: link: unknown key "prot"; did you mean "port"? allowed: host, port, maxStreams');
  t.match(text, 'gateway.yaml:5: link.port: expected number, received string; allowed: integer 1 to 65535');
  t.match(text, 'gateway.yaml:8: peers.1: expected string');
});

t.test('a problem in a variable or a flag is named by it', async (t) => {
  const { text } = await failure(t, 'mode: fast\n', {
    env: { CAUSEWAY_GATEWAY_LINK_PORT: '0' },
    flags: { mode: 'quick' },
  });
  t.match(text, '$CAUSEWAY_GATEWAY_LINK_PORT: link.port: too small');
  t.match(text, 'flag mode: mode: invalid option');
});

t.test('a missing key is named at its nearest parent', async (t) => {
  const { text } = await failure(t, 'mode: fast\nservices:\n  hello: {}\n');
  t.match(text, 'gateway.yaml:3: services.hello.url: expected string, received undefined');
});

t.test('a value is never repeated in the message', async (t) => {
  const { text } = await failure(t, 'link: hunter2\nmode: hunter2\n');
  t.notMatch(text, 'hunter2');
});

t.test('a missing file is config-missing', async (t) => {
  await t.rejects(loadConfig(schema, { file: join(t.testdir(), 'none.yaml') }), {
    code: 'config-missing',
    message: /none\.yaml/,
  });
  await t.rejects(loadConfig(schema, { file: t.testdir() }), { code: 'config-missing' }, 'a folder is no file');
});

t.test('what is no YAML is refused with its line', async (t) => {
  t.match(await failure(t, 'a: 1\nb: [\n'), { code: 'config-invalid', text: /gateway\.yaml:\d: / });
  t.match(await failure(t, 'mode: fast\nmode: safe\n'), { code: 'config-invalid', text: /gateway\.yaml:2: .*unique/ });
  t.match(await failure(t, '- 1\n'), { code: 'config-invalid', text: /expected object/ });
});

t.test('hostile files are refused: too long, too many aliases, too deep', async (t) => {
  t.match(await failure(t, `# ${'x'.repeat(1024 * 1024)}`), { code: 'config-invalid', text: /longer than/ });
  const laughs = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdef'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcde'[i]}`).join(',')}]`),
  ];
  t.match(await failure(t, laughs.join('\n')), { code: 'config-invalid', text: /alias/i });
  t.match(await failure(t, '['.repeat(20_000)), { code: 'config-invalid' });
  t.match(await failure(t, '__proto__: {mode: fast}\n'), { code: 'config-invalid' });
});

t.test('a variable that names no key is a warning with the nearest one', async (t) => {
  const warnings: string[] = [];
  const env = { CAUSEWAY_GATEWAY_LINK_PROT: '1', CAUSEWAY_GATEWAY_PORT_8443_TCP: 'tcp://10.0.0.1', OTHER: 'x' };
  await load(t, undefined, { env, warn: (message) => warnings.push(message) });
  t.equal(warnings.length, 2);
  t.match(warnings[0], '$CAUSEWAY_GATEWAY_LINK_PORT');
});

t.test('a schema that would drop unknown keys in silence is refused', async (t) => {
  await t.rejects(loadConfig(z.strictObject({ inner: z.object({ a: z.string() }) }), {}), {
    message: /strictObject at inner/,
  });
});
