import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { loadConfig, parseYaml } from '../../base/index.ts';
import { agentConfigSchema } from '../../edge-agent/index.ts';
import { temporaryFolder } from '../support/program.ts';
import { waitFor, within } from '../support/wait-for.ts';
import { causeway, startCauseway, type Outcome } from './causeway.ts';

interface Made {
  readonly name: string;
  readonly token: string;
  readonly gateway: string;
  readonly root: string;
  readonly line: string;
}

/** A fleet of real processes, and the command towards it. */
class Fleet {
  readonly folder: string;

  static async start(t: Test): Promise<Fleet> {
    const fleet = new Fleet(folderOf(t));
    const dev = startCauseway(['dev', '--dir', join(fleet.folder, 'dev'), '--api-port', '0', '--edges', '0'], {}, [
      'ignore',
      'pipe',
      'pipe',
    ]);
    let output = '';
    for (const stream of [dev.stdout, dev.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    t.teardown(async () => {
      if (dev.exitCode !== null) return;
      const exited = once(dev, 'exit');
      dev.kill('SIGTERM');
      await within('dev to end', exited, 20_000);
    });
    await waitFor('the line `ready`', () => output.split('\n').includes('ready'), {
      deadlineMs: 60_000,
      everyMs: 20,
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${output}`);
    });
    return fleet;
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  cli(...args: string[]): Promise<Outcome> {
    return causeway(args, { env: { CAUSEWAY_CONFIG: join(this.folder, 'dev', 'client.yaml') } });
  }

  async token(...args: string[]): Promise<Made> {
    return JSON.parse(String((await this.cli('token', 'create', ...args, '-o', 'json')).stdout)) as Made;
  }

  log(): string {
    return readFileSync(join(this.folder, 'dev', 'logs', 'r0.log'), 'utf8');
  }
}

function folderOf(t: Test): string {
  const folder = temporaryFolder('token');
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Enrols as at an edge: nothing of the fleet is there but the token. */
function enrol(
  folder: string,
  { gateway, token }: Pick<Made, 'gateway' | 'token'>,
  ...more: string[]
): Promise<Outcome> {
  return causeway(['agent', 'enrol', '--gateway', gateway, '--keys', join(folder, 'keys'), ...more], {
    cwd: folder,
    env: { CAUSEWAY_TOKEN: token },
  });
}

test('from a token to an edge that is online, and what refuses the others', async (t) => {
  const fleet = await Fleet.start(t);
  const edge = folderOf(t);
  const config = join(edge, 'agent.yaml');

  await t.test('token create prints the token and a line with the root in it', async (t) => {
    const { stdout } = await fleet.cli('token', 'create', '--edge', 'edge-6', '--ttl', '30m');
    t.match(String(stdout), /^cwt1\.[\w.-]+\n\nIt lets edge-6 in, once, until 20\S+\. It is not shown again\.\n/u);
    const made = await fleet.token('--edge', 'edge-6');
    t.match(made, { name: /^t-[0-9a-f]{16}$/u, gateway: /^127\.0\.0\.1:\d+$/u, root: /BEGIN CERTIFICATE/u });
    t.match(made.line, /-----BEGIN CERTIFICATE-----.*--cacert.*--gateway 127\.0\.0\.1:\d+.*--edge edge-6/u);
    t.notMatch(made.line, /curl[^|]* (-k|--insecure)|--no-check-certificate/u);
    t.equal(made.line.split('\n').length, 1);
    t.equal((await fleet.cli('token', 'rm', made.name)).exitCode, 0);
    t.equal((await fleet.cli('token', 'rm', made.name)).exitCode, 3);
  });

  const made = await fleet.token('--edge', 'edge-7');
  await t.test('an empty folder becomes an edge, and is one already when it is tried again', async (t) => {
    const done = await enrol(edge, made, '--config', config);
    t.equal(done.exitCode, 0, done.stderr);
    t.match(String(done.stdout), /^enrolled as edge-7; the certificate is good until 20/u);
    const written = await loadConfig(agentConfigSchema, { file: config });
    t.match(written, { keys: 'keys', data: 'data', public: [made.gateway] });
    const before = readFileSync(join(edge, 'keys', 'cert.pem'), 'utf8') + readFileSync(config, 'utf8');
    const again = await enrol(edge, made, '--config', config);
    t.match(again, { exitCode: 0 });
    t.match(String(again.stdout), /this is edge-7 already.* were kept/u);
    t.equal(readFileSync(join(edge, 'keys', 'cert.pem'), 'utf8') + readFileSync(config, 'utf8'), before);
  });

  await t.test('its agent comes online with that', async (t) => {
    const agent = startCauseway(['agent', 'run', '--config', config], {}, 'ignore');
    const exited = once(agent, 'exit');
    t.teardown(async () => {
      agent.kill('SIGTERM');
      await within('the agent to end', exited, 20_000);
    });
    await waitFor(
      'edge-7 to be online',
      async () => {
        const { stdout } = await fleet.cli('node', 'ls', '-o', 'json');
        return /"online": true/u.test(String(stdout));
      },
      { deadlineMs: 30_000, everyMs: 200 },
    );
    t.match(String((await fleet.cli('node', 'ls')).stdout), /^edge-7 +Allowed +yes /mu);
  });

  await t.test('token ls and kubectl’s view show what became of it, and no secret', async (t) => {
    const { stdout } = await fleet.cli('token', 'ls');
    t.match(String(stdout), new RegExp(`^NAME +FOR +STATE.*\n[^]*${made.name} +edge-7 +used +1/1 `, 'u'));
    const secret = made.token.split('.')[2] ?? '';
    const yaml = String((await fleet.cli('get', 'jointokens', '-o', 'yaml')).stdout);
    t.match(parseYaml(yaml), { value: { kind: 'List' } });
    t.notOk((yaml + String(stdout) + fleet.log()).includes(secret));
    t.equal(String((await fleet.cli('token', 'ls', '-o', 'name')).stdout).includes(made.name), true);
  });

  await t.test(
    'a used, a foreign and a tampered token, and a wrong pin, are refused; the log has each reason',
    async (t) => {
      const fresh = await fleet.token('--edge', 'edge-8');
      const [version, id, secret = '', pin = ''] = fresh.token.split('.');
      const turned = secret.startsWith('A') ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
      const otherPin = pin.startsWith('A') ? `B${pin.slice(1)}` : `A${pin.slice(1)}`;
      const cases: readonly (readonly [
        what: string,
        token: string,
        exit: number,
        said: RegExp,
        logged: string,
        args?: string[],
      ])[] = [
        ['used', made.token, 4, /the token has been used/u, 'token-used'],
        ['foreign', fresh.token, 4, /the token is for another edge/u, 'token-foreign', ['--edge', 'edge-9']],
        ['tampered', [version, id, turned, pin].join('.'), 4, /does not know this token/u, 'token-unknown'],
        [
          'wrong pin',
          [version, id, secret, otherPin].join('.'),
          1,
          /not the gateway that the token is from; nothing was sent/u,
          '',
        ],
        ['cut', fresh.token.slice(0, -4), 2, /no join token/u, ''],
        ['no token', '', 2, /there is no token/u, ''],
      ];
      const tries = cases.map(async ([what, token, exit, said, logged, args = []]) => {
        const folder = folderOf(t);
        const config = join(folder, 'agent.yaml');
        const refused = await enrol(folder, { gateway: made.gateway, token }, '--config', config, ...args);
        t.equal(refused.exitCode, exit, what);
        t.match(refused.stderr, said, what);
        t.match(refused.stderr, /\nfix: /u, what);
        t.notOk(token !== '' && refused.stderr.includes(token), what);
        t.notOk(existsSync(join(folder, 'keys', 'cert.pem')), what);
        t.notOk(existsSync(config), what);
        if (logged !== '') await waitFor(`${logged} in the log`, () => fleet.log().includes(`"code":"${logged}"`));
      });
      await Promise.all(tries);
      t.equal(fleet.log().split('public-refused').length - 1, 3, 'in the other cases nobody was asked');
      t.equal((await enrol(folderOf(t), { gateway: '127.0.0.1:1', token: fresh.token })).exitCode, 5);
      t.match(await enrol(folderOf(t), fresh), { exitCode: 0 });
    },
  );

  await t.test('a token for labels is for whoever names itself', async (t) => {
    const many = await fleet.token('--label', 'region=north', '--label', 'tier=b', '--uses', '2');
    t.match(many.line, /--edge NAME/u);
    t.equal((await enrol(folderOf(t), many)).exitCode, 4);
    t.equal((await enrol(folderOf(t), many, '--edge', 'edge-7')).exitCode, 4);
    t.equal((await enrol(folderOf(t), many, '--edge', 'north-1')).exitCode, 0);
    const node = JSON.parse(String((await fleet.cli('node', 'show', 'north-1', '-o', 'json')).stdout));
    t.match(node, { spec: { admission: 'Allowed', labels: { region: 'north', tier: 'b' } } });
  });

  await t.test('token create refuses what makes no sense', async (t) => {
    const wrong = [
      [],
      ['--edge', 'a', '--label', 'b=c'],
      ['--edge', 'Edge_1'],
      ['--label', 'x'],
      ['--edge', 'a', '--ttl', '10'],
      ['--edge', 'a', '--ttl', '31d'],
      ['--edge', 'a', '--uses', '2'],
      ['--label', 'a=b', '--uses', '0'],
    ];
    const refused = await Promise.all(wrong.map((args) => fleet.cli('token', 'create', ...args)));
    for (const [index, { exitCode, stderr }] of refused.entries()) {
      t.equal(exitCode, 2, wrong[index]?.join(' ') ?? '');
      t.match(stderr, /^causeway: .*\nfix: /u);
    }
    t.equal((await fleet.cli('token', 'rm')).exitCode, 2);
    t.match(String((await fleet.cli('token', 'rm', '--ended')).stdout), new RegExp(`${made.name} deleted`, 'u'));
  });
});
