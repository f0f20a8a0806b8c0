import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { noProxies } from '../../support/fleet-access.ts';
import { findCommand, missing } from '../../support/program.ts';
import { waitFor } from '../../support/wait-for.ts';
import { TestApi } from './test-api.ts';

/** Another kubectl than the one on the PATH: `KUBECTL=/opt/old/kubectl`. */
const command = process.env['KUBECTL'] ?? 'kubectl';
const skip = missing(command, 'kubernetes-client');

const webPod = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, tier: front}}
spec:
  nodeName: n1
  containers:
  - {name: c1, image: "nginx:1", ports: [{containerPort: 80}], env: [{name: A, value: "1"}]}
  - {name: c2, image: "redis:1"}
`;
const widgetText = (name: string, spec: string): string => `
apiVersion: example.com/v1
kind: Widget
metadata: {name: ${name}}
spec: ${spec}
`;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** kubectl with a home of its own against an API of its own. */
class Kubectl {
  readonly api: TestApi;
  readonly folder: string;

  static async start(t: Test): Promise<Kubectl> {
    findCommand(command, 'kubernetes-client');
    const kubectl = new Kubectl(await TestApi.start(t), mkdtempSync(join(tmpdir(), 'kubectl-')));
    t.teardown(() => rmSync(kubectl.folder, { recursive: true, force: true }));
    await kubectl.ok(t, 'create namespace default');
    return kubectl;
  }

  private constructor(api: TestApi, folder: string) {
    this.api = api;
    this.folder = folder;
  }

  get env(): NodeJS.ProcessEnv {
    return { ...process.env, ...noProxies, HOME: this.folder, KUBECONFIG: '/dev/null' };
  }

  args(words: string | readonly string[]): string[] {
    return ['--server', this.api.url, ...(typeof words === 'string' ? words.split(' ') : words)];
  }

  /** Words are split at blanks where they are one text. `input` is given on stdin. */
  run(
    words: string | readonly string[],
    { input = '', env = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<Ran> {
    return new Promise((resolve) => {
      const child = execFile(command, this.args(words), { env: { ...this.env, ...env } }, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err });
      });
      child.stdin?.end(input);
    });
  }

  /** What it prints; it has to succeed. */
  async ok(
    t: Test,
    words: string | readonly string[],
    options: { input?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<string> {
    const { code, out, err } = await this.run(words, options);
    t.equal(code, 0, `${String(words)}: ${err}`);
    return out;
  }

  /** What it says when it fails, which it has to. */
  async fails(t: Test, words: string | readonly string[], options: { input?: string } = {}): Promise<string> {
    const { code, out, err } = await this.run(words, options);
    t.not(code, 0, `${String(words)}: ${out}`);
    return err;
  }
}

test('kubectl finds out what there is', { skip, timeout: 60_000 }, async (t) => {
  const k = await Kubectl.start(t);
  const resources = await k.ok(t, 'api-resources');
  t.match(resources, /^configmaps +cm +v1 +true +ConfigMap$/m);
  t.match(resources, /^namespaces +ns +v1 +false +Namespace$/m);
  t.match(resources, /^widgets +wd +example\.com\/v1 +true +Widget$/m);
  t.equal(await k.ok(t, 'api-versions'), 'example.com/v1\nv1\n');
  t.match(await k.ok(t, 'version'), /v1\.\d+\.\d+\+causeway/);
  const fields = await k.ok(t, 'explain widget.spec');
  t.match(fields, /What is wished/);
  t.match(fields, /size\s+<integer>[^<]*How large it is/);
  t.match(await k.ok(t, 'explain pods.spec.containers.image'), /<string>/);
  t.match(await k.fails(t, 'get gadgets'), /the server doesn't have a resource type "gadgets"/);
  t.strictSame(k.api.faults, []);
});

test('kubectl applies, again and again', { skip, timeout: 60_000 }, async (t) => {
  const k = await Kubectl.start(t);
  const input = `${webPod}---${widgetText('w1', '{color: red}')}`;
  t.equal(await k.ok(t, 'apply -f -', { input }), 'pod/web created\nwidget.example.com/w1 created\n');
  t.equal(await k.ok(t, 'apply -f -', { input }), 'pod/web unchanged\nwidget.example.com/w1 unchanged\n');
  const changed = input.replace('redis:1', 'redis:2').replace('red}', 'blue}');
  t.match((await k.run('diff -f -', { input: changed })).out, /-\s+color: red\n\+\s+color: blue/);
  t.equal(await k.ok(t, 'apply -f -', { input: changed }), 'pod/web configured\nwidget.example.com/w1 configured\n');
  t.equal(await k.ok(t, ['get', 'pod', 'web', '-o', 'jsonpath={.spec.containers[*].image}']), 'nginx:1 redis:2');
  // What somebody else has added stays, what was applied and is not wanted any more goes.
  await k.ok(t, ['patch', 'pod', 'web', '-p', '{"spec":{"containers":[{"name":"side","image":"x"}]}}']);
  const fewer = changed.replace(', tier: front', '').replace(/ {2}- \{name: c2.*\n/, '');
  await k.ok(t, 'apply -f -', { input: fewer });
  t.equal(
    await k.ok(t, ['get', 'pod', 'web', '-o', 'jsonpath={.spec.containers[*].name} {.metadata.labels}']),
    'c1 side {"app":"web"}',
  );
  t.match(await k.fails(t, 'apply --server-side -f -', { input: changed }), /apply at the client|not available/);
  t.strictSame(k.api.faults, []);
});

test('kubectl creates, for real and on trial', { skip, timeout: 60_000 }, async (t) => {
  const k = await Kubectl.start(t);
  const trial = await k.ok(t, 'create configmap c1 --from-literal=a=1 --dry-run=server -o yaml');
  t.match(trial, /^ {2}uid: [0-9a-f-]{36}$/m);
  t.match(await k.fails(t, 'get configmap c1'), /configmaps "c1" not found/);
  t.equal(await k.ok(t, 'create configmap c1 --from-literal=a=1'), 'configmap/c1 created\n');
  t.match(await k.fails(t, 'create configmap c1 --from-literal=a=1'), /configmaps "c1" already exists/);
  t.equal(await k.ok(t, 'create secret generic s1 --from-literal=p=q'), 'secret/s1 created\n');
  t.equal(await k.ok(t, ['get', 'secret', 's1', '-o', 'jsonpath={.data.p}']), 'cQ==');
  t.equal(await k.ok(t, 'run p1 --image=nginx'), 'pod/p1 created\n');
  t.match(
    await k.fails(t, 'create -f -', { input: widgetText('w1', '{color: red, shade: 1}') }),
    /unknown field "(?:spec\.)?shade"/,
  );
  t.match(
    await k.fails(t, 'create --validate=false -f -', { input: widgetText('w1', '{color: pink, size: 11}') }),
    /The Widget "w1" is invalid:\s+\* spec\.color: .*\s+\* spec\.size: /,
  );
  const generated = widgetText('x', '{color: red}').replace('name: x', 'generateName: w-');
  t.match(await k.ok(t, 'create -f -', { input: generated }), /^widget\.example\.com\/w-[a-z0-9]{5} created$/m);
  t.match(await k.fails(t, 'create namespace Foo_Bar'), /The Namespace "Foo_Bar" is invalid: metadata\.name: /);
  t.strictSame(k.api.faults, []);
});

test('kubectl shows tables, descriptions and selections', { skip, timeout: 60_000 }, async (t) => {
  const k = await Kubectl.start(t);
  await k.ok(t, 'apply -f -', { input: `${webPod}---${widgetText('w1', '{color: blue, size: 7}')}` });
  for (let i = 0; i < 5; i += 1) await k.ok(t, `create configmap c${i} --from-literal=a=1`);
  t.match(await k.ok(t, 'get pods'), /^NAME +READY +STATUS +RESTARTS +AGE\nweb +0\/2 /);
  t.match(await k.ok(t, 'get pods -o wide --show-labels'), /\nweb +0\/2 .* n1 .* app=web,tier=front\n$/);
  t.match(await k.ok(t, 'get widgets'), /^NAME +COLOR +AGE\nw1 +blue +\d+s\n$/);
  t.match(await k.ok(t, 'get widgets -o wide'), /^NAME +COLOR +SIZE +AGE\nw1 +blue +7 +\d+s\n$/);
  t.match(await k.ok(t, 'get pods,widgets -A'), /default +pod\/web .*\n[^]*default +widget\.example\.com\/w1 /);
  t.equal(
    await k.ok(t, 'get configmaps --chunk-size=2 -o name'),
    'configmap/c0\nconfigmap/c1\nconfigmap/c2\nconfigmap/c3\nconfigmap/c4\n',
  );
  t.equal((await k.ok(t, 'get configmaps --chunk-size=2 --no-headers')).trim().split('\n').length, 5);
  t.match(await k.ok(t, 'get configmaps --sort-by=.metadata.name'), /c0 [^]*c4 /);
  t.match(await k.ok(t, 'get pods -o yaml'), /^ {4}name: web$/m);
  t.match(await k.ok(t, 'describe pod web'), /^Name: +web$[^]*^ {4}Image: +nginx:1$/m);
  t.match(await k.ok(t, 'describe widget w1'), /^ {2}Color: +blue$/m);
  t.match(await k.ok(t, 'describe configmap c0'), /^a:\n----\n1$/m);
  const names = async (...words: string[]): Promise<string> => await k.ok(t, ['get', 'pods', '-o', 'name', ...words]);
  t.equal(await names('-l', 'app=web'), 'pod/web\n');
  t.equal(await names('-l', 'app in (web,x),tier!=back'), 'pod/web\n');
  t.equal(await names('-l', '!app'), '');
  t.equal(await names('--field-selector', 'spec.nodeName=n1'), 'pod/web\n');
  t.equal(await names('--field-selector', 'metadata.name!=web'), '');
  t.match(await k.fails(t, 'get pods --field-selector spec.none=1'), /spec\.none/);
  t.match(await k.fails(t, 'get pods -l a=b=c'), /labelSelector|unable to parse|found '='/i);
  t.match(await k.fails(t, 'get pod none'), /^Error from server \(NotFound\): pods "none" not found/);
  t.strictSame(k.api.faults, []);
});

test('kubectl changes objects in every way it has', { skip, timeout: 60_000 }, async (t) => {
  const k = await Kubectl.start(t);
  await k.ok(t, 'apply -f -', { input: `${webPod}---${widgetText('w1', '{color: blue}')}` });
  const images = async (): Promise<string> =>
    await k.ok(t, ['get', 'pod', 'web', '-o', 'jsonpath={.spec.containers[*].image}']);
  await k.ok(t, ['patch', 'pod', 'web', '-p', '{"spec":{"containers":[{"name":"c2","image":"redis:2"}]}}']);
  t.equal(await images(), 'nginx:1 redis:2', 'a strategic merge patch');
  await k.ok(t, [
    'patch',
    'pod',
    'web',
    '--type',
    'json',
    '-p',
    '[{"op":"replace","path":"/spec/containers/0/image","value":"nginx:2"}]',
  ]);
  t.equal(await images(), 'nginx:2 redis:2', 'a JSON patch');
  await k.ok(t, [
    'patch',
    'pod',
    'web',
    '--type',
    'merge',
    '-p',
    '{"spec":{"containers":[{"name":"c1","image":"nginx:3"}]}}',
  ]);
  t.equal(await images(), 'nginx:3', 'a merge patch');
  t.match(await k.fails(t, ['patch', 'widget', 'w1', '-p', '{"spec":{"size":4}}']), /not supported|custom resources/);
  await k.ok(t, ['patch', 'widget', 'w1', '--type', 'merge', '-p', '{"spec":{"size":4}}']);
  t.match(
    await k.fails(t, ['patch', 'widget', 'w1', '--type', 'merge', '-p', '{"spec":{"size":40}}']),
    /The Widget "w1" is invalid: spec\.size: /,
  );
  t.equal(await k.ok(t, 'set image pod/web c1=nginx:4'), 'pod/web image updated\n');
  t.equal(await k.ok(t, 'label pod web x=y'), 'pod/web labeled\n');
  t.match(await k.fails(t, 'label pod web x=z'), /'?x'? already has a value/);
  t.equal(await k.ok(t, 'label pod web x=z --overwrite'), 'pod/web labeled\n');
  await k.ok(t, 'label pod web x-');
  t.equal(await k.ok(t, 'annotate pod web note=hello'), 'pod/web annotated\n');
  t.equal(
    await k.ok(t, 'edit widget w1', { env: { KUBE_EDITOR: 'sed -i s/blue/green/' } }),
    'widget.example.com/w1 edited\n',
  );
  t.equal(await k.ok(t, 'edit pod web', { env: { KUBE_EDITOR: 'sed -i s/nginx:4/nginx:5/' } }), 'pod/web edited\n');
  t.equal(await images(), 'nginx:5');
  const file = join(k.folder, 'widget.yaml');
  writeFileSync(file, widgetText('w1', '{color: red}'));
  t.equal(await k.ok(t, ['replace', '-f', file]), 'widget.example.com/w1 replaced\n');
  t.equal(await k.ok(t, ['get', 'widget', 'w1', '-o', 'jsonpath={.spec.color} {.metadata.generation}']), 'red 4');
  t.strictSame(k.api.faults, []);
});

test('kubectl deletes, and waits for the end', { skip, timeout: 60_000 }, async (t) => {
  const k = await Kubectl.start(t);
  for (const name of ['a', 'b', 'c']) await k.ok(t, `create configmap ${name}`);
  t.equal(await k.ok(t, 'delete configmap a'), 'configmap "a" deleted\n');
  t.match(await k.ok(t, 'delete configmap b --dry-run=server'), /\(server dry run\)/);
  t.match(await k.ok(t, 'delete configmap --all'), /"b" deleted[^]*"c" deleted/);
  t.match(await k.fails(t, 'delete configmap a'), /configmaps "a" not found/);
  await k.ok(t, 'create -f -', {
    input: widgetText('w1', '{color: red}').replace('name: w1', 'name: w1, finalizers: [example.com/x]'),
  });
  await k.ok(t, 'delete widget w1 --wait=false');
  t.match(await k.ok(t, ['get', 'widget', 'w1', '-o', 'jsonpath={.metadata.deletionTimestamp}']), /^\d{4}-/);
  const waiting = k.ok(t, 'wait --for=delete widget/w1 --timeout=30s');
  await k.ok(t, ['patch', 'widget', 'w1', '--type', 'merge', '-p', '{"metadata":{"finalizers":null}}']);
  await waiting;
  t.match(await k.fails(t, 'get widget w1'), /not found/);
  t.strictSame(k.api.faults, []);
});

test('kubectl watches', { skip, timeout: 60_000 }, async (t) => {
  const k = await Kubectl.start(t);
  await k.ok(t, 'create configmap first');
  const child = spawn(command, k.args('get configmaps -w -o name'), {
    env: k.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await waitFor('what there is', () => out === 'configmap/first\n');
  await k.ok(t, 'create configmap second');
  await k.ok(t, 'label configmap second a=b');
  await k.ok(t, 'delete configmap second');
  await waitFor('what changed', () => out === 'configmap/first\n' + 'configmap/second\n'.repeat(3));
  t.strictSame(k.api.faults, []);
});
