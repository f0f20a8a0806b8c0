import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { kubeconfig } from '../../cli/kubeconfig.ts';
import { noProxies, run, type Ran } from '../support/fleet-access.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { findCommand, missing } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: pumps.example.com }
spec:
  group: example.com
  scope: Namespaced
  names: { plural: pumps, singular: pump, kind: Pump, shortNames: [pu] }
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns: [{ name: Litres, type: integer, jsonPath: .spec.litres }]
      schema:
        openAPIV3Schema:
          type: object
          description: Moves water.
          properties:
            spec:
              type: object
              properties: { litres: { type: integer, minimum: 1, description: What it moves in a second. } }
`;

const shop = (colour: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: a, namespace: shop, labels: { app: web } }
data: { colour: ${colour} }
---
apiVersion: v1
kind: Pod
metadata: { name: web-0, namespace: shop, labels: { app: web } }
spec: { nodeName: n1, containers: [{ name: main, image: "nginx:1", env: [{ name: A, value: b }] }] }
`;

const pump = `
apiVersion: example.com/v1
kind: Pump
metadata: { name: p1 }
spec: { litres: 5 }
`;

interface Kubectl {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What it says when all is well; in lines of tables AGE stands for how old something is. */
type Says = (expected: string | RegExp, ...args: readonly string[]) => Promise<void>;
/** What it says when it is refused. */
type Refuses = (expected: RegExp, ...args: readonly string[]) => Promise<void>;

for (const program of programs())
  t.test(`${program} is at home`, { skip: missing(program, 'kubernetes-client'), timeout: 120_000 }, async (t) => {
    const folder = t.testdir({
      'kinds.yaml': definition,
      'shop.yaml': shop('blue'),
      'changed.yaml': shop('red'),
      'pump.yaml': pump,
      'more': {
        'b.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: b, namespace: shop }\n',
        'deep': { 'c.json': '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"shop"}}' },
      },
      'unknown.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndatta: { a: b }\n',
      'editor.sh': '#!/bin/sh\nsed -i s/green/purple/ "$1"\n',
      'home': {},
    });
    chmodSync(join(folder, 'editor.sh'), 0o755);
    const definitions = [join(folder, 'kinds.yaml')];
    const cluster = await ProcessCluster.start(t, {
      edges: 2,
      services: () => [{ name: 'kube', kind: 'embedded', definitions }],
    });
    const config = join(folder, 'kubeconfig');
    const { keys } = cluster.clientConfig;
    const made = await kubeconfig({ server: cluster.apiUrl, keys, edges: ['edge-1', 'edge-2'] });
    writeFileSync(config, made, { mode: 0o600 });
    const env = { KUBECONFIG: config, HOME: join(folder, 'home'), EDITOR: join(folder, 'editor.sh') };
    const kubectl: Kubectl = { program: findCommand(program, 'kubernetes-client'), env };

    await t.test('at an edge it reads and writes', (t) => atAnEdge(said(t, kubectl, 'edge-1'), folder));
    await t.test('at an edge it is told what is wrong', (t) => refused(refusing(t, kubectl, 'edge-1'), folder));
    await t.test('it follows changes, at an edge and over all', (t) => following(t, kubectl));
    await t.test('over all edges it reads', async (t) => {
      await overAllEdges(said(t, kubectl, 'all'));
      await readOnly(refusing(t, kubectl, 'all'));
    });
    await t.test('at the fleet it manages edges', (t) => atTheFleet(said(t, kubectl, 'fleet')));
    await t.test('it shows the last state of an edge that is away', async (t) => {
      await cluster.agent('edge-2').kill();
      const away = await waitFor('the edge to be away', async () => {
        const { status } = await cluster.node('edge-2');
        return status?.online === false ? status.lastContact : undefined;
      });
      const nodes = await ask(kubectl, 'all', 'get', 'nodes', '-o', 'name');
      t.match(nodes.stdout, /^node\/edge-1\.\S+\nnode\/edge-2\.\S+\n$/u);
      const since = away.replace(/\.\d+Z$/u, 'Z');
      t.match(nodes.stderr, `Warning: edge edge-2 (offline since ${since}): this is its state`);
      await said(t, kubectl, 'fleet')(/^edge-2 +Allowed +False +0 .* AGE +AGE$/mu, 'get', 'edges');
    });
  });

async function atAnEdge(says: Says, folder: string): Promise<void> {
  const file = (name: string): string => join(folder, name);
  const inShop = ['-n', 'shop'];
  await says(/Version:.*v1\.32\.0\+causeway\.[1-9]|Version:.*v1\.32\.0\+causeway\.0\.[1-9]/u, 'version');
  await says(/^pods +po +v1 +true +Pod$[^]*^pumps +pu +example\.com\/v1 +true +Pump$/mu, 'api-resources');
  await says(
    'apiextensions.k8s.io/v1\nauthentication.k8s.io/v1\nauthorization.k8s.io/v1\nexample.com/v1\nkubevirt.io/v1\nv1',
    'api-versions',
  );
  await says(/^NAME +STATUS +ROLES +AGE +VERSION\n\S+ +Ready +<none> +AGE +causeway-\d/u, 'get', 'nodes');
  await says(/INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION/u, 'get', 'nodes', '-o', 'wide');
  await says(/AgentReady[^]*^Capacity:\n +cpu: +\d+$/mu, 'describe', 'node');
  await says(/containers\t<\[\]Object>/u, 'explain', 'pod.spec');
  await says(/litres\t<integer>/u, 'explain', 'pump', '--recursive');

  const created = 'namespace/shop created\nconfigmap/a created\npod/web-0 created';
  await says(created, 'apply', '-f', file('shop.yaml'));
  await says(created.replaceAll('created', 'unchanged'), 'apply', '-f', file('shop.yaml'));
  const changed = 'namespace/shop unchanged\nconfigmap/a configured\npod/web-0 unchanged';
  const dry = `${changed}\n`.replaceAll('\n', ' (server dry run)\n').trimEnd();
  await says(dry, 'apply', '--dry-run=server', '-f', file('changed.yaml'));
  await says(changed, 'apply', '-f', file('changed.yaml'));
  await says('', 'diff', '-f', file('changed.yaml'));
  await says('configmap/b created\nconfigmap/c created', 'apply', '-R', '-f', file('more'));
  await says('pump.example.com/p1 created', 'apply', '-f', file('pump.yaml'));
  await says('NAME   LITRES\np1     5', 'get', 'pu');
  await says(/condition met$/u, 'wait', '--for=condition=Established', 'crd/pumps.example.com');

  const rows = 'NAME   DATA   AGE\na      1      AGE\nb      0      AGE\nc      0      AGE';
  await says(rows, 'get', 'cm', ...inShop);
  await says(rows, 'get', 'cm', ...inShop, '--chunk-size=1', '--sort-by=.metadata.name');
  await says('configmap/a', 'get', 'cm', '-A', '-l', 'app in (web),!tier', '-o', 'name');
  await says('configmap/b', 'get', 'cm', ...inShop, '--field-selector', 'metadata.name=b', '-o', 'name');
  await says('COLOUR\nred', 'get', 'cm', 'a', ...inShop, '-o', 'custom-columns=COLOUR:.data.colour');
  await says(/^ {2}colour: red\nkind: ConfigMap$/mu, 'get', 'cm', 'a', ...inShop, '-o', 'yaml');
  await says(
    'NAME    READY   STATUS    RESTARTS   AGE\nweb-0   0/1     Pending   0          AGE',
    ...['get', 'pods', ...inShop, '--field-selector', 'spec.nodeName=n1'],
  );
  await says(/^Node: +n1\/$[^]*Image: +nginx:1$/mu, 'describe', 'pod', 'web-0', ...inShop);

  await says('configmap/a patched', 'patch', 'cm', 'a', ...inShop, '-p', '{"data":{"size":"m"}}');
  await says('configmap/a patched', 'patch', 'cm', 'a', ...inShop, '--type=merge', '-p', '{"data":{"size":null}}');
  const replacing = '[{"op":"replace","path":"/data/colour","value":"green"}]';
  await says('configmap/a patched', 'patch', 'cm', 'a', ...inShop, '--type=json', '-p', replacing);
  const image = '{"spec":{"containers":[{"name":"main","image":"nginx:2"}]}}';
  await says('pod/web-0 patched', 'patch', 'pod', 'web-0', ...inShop, '-p', image);
  const container = 'jsonpath={.spec.containers[0].image} {.spec.containers[0].env[0].value}';
  await says('nginx:2 b', 'get', 'pod', 'web-0', ...inShop, '-o', container);
  await says('configmap/a labeled', 'label', 'cm', 'a', ...inShop, 'tier=front');
  await says('configmap/a annotated', 'annotate', 'cm', 'a', ...inShop, 'note=hi');
  await says('configmap/a edited', 'edit', 'cm', 'a', ...inShop);
  const read = 'jsonpath={.data} {.metadata.labels.tier} {.metadata.annotations.note}';
  await says(/^(?:\{"colour":"purple"\}|map\[colour:purple\]) front hi$/u, 'get', 'cm', 'a', ...inShop, '-o', read);
  await says('configmap/d created (server dry run)', 'create', 'cm', 'd', ...inShop, '--dry-run=server');
  await says(/^node\/\S+ condition met$/u, 'wait', '--for=condition=Ready', 'node', '--all', '--timeout=5s');

  await says('configmap "b" deleted', 'delete', 'cm', 'b', ...inShop);
  await says('configmap "a" deleted', 'delete', 'cm', ...inShop, '-l', 'tier=front');
  await says('configmap "c" deleted', 'delete', 'cm', ...inShop, '--all');
  await says(/configmap\/a created/u, 'apply', '-f', file('shop.yaml'));
  // The namespace first: what is in it is still there, and gone when the command has ended.
  const deleted = 'namespace "shop" deleted\nconfigmap "a" deleted\npod "web-0" deleted';
  await says(deleted, 'delete', '-f', file('shop.yaml'));
  await says('namespace/default\nnamespace/kube-system', 'get', 'ns', '-o', 'name');
}

async function refused(refuses: Refuses, folder: string): Promise<void> {
  await refuses(/^Error from server \(NotFound\): configmaps "none" not found$/mu, 'get', 'cm', 'none');
  await refuses(/^Error from server \(NotFound\): namespaces "none" not found$/mu, 'get', 'cm', 'x', '-n', 'none');
  await refuses(/the server doesn't have a resource type "nonsense"/u, 'get', 'nonsense');
  await refuses(/field label not supported: "foo"/u, 'get', 'pods', '--field-selector', 'foo=bar');
  await refuses(/unknown field "datta"/u, 'apply', '-f', join(folder, 'unknown.yaml'));
  const litres = '{"spec":{"litres":0}}';
  await refuses(/^The Pump "p1" is invalid: spec\.litres: /mu, 'patch', 'pu', 'p1', '--type=merge', '-p', litres);
  await refuses(/custom resources: they take merge patches/u, 'patch', 'pu', 'p1', '-p', litres);
  await refuses(/already exists/u, 'create', 'ns', 'default');
  await refuses(/\(Forbidden\): .*always there/u, 'delete', 'ns', 'default');
}

async function following(t: Test, kubectl: Kubectl): Promise<void> {
  await ask(kubectl, 'edge-1', 'create', 'cm', 'seen');
  for (const [context, name] of [
    ['edge-1', 'followed'],
    ['all', 'edge-1.followed'],
  ] as const) {
    const args = ['--context', context, 'get', 'cm', '--watch-only', '--output-watch-events', '-o', 'name'];
    const env = { ...process.env, ...noProxies, ...kubectl.env };
    const watch = spawn(kubectl.program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(watch, 'close');
    let text = '';
    watch.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    // It says nothing when it has begun: something is changed until it has seen that.
    for (let tries = 0; !text.includes('configmap/') && tries < 100; tries++)
      await ask(kubectl, 'edge-1', 'label', 'cm', 'seen', '--overwrite', `tries=${tries}`);
    text = '';
    await ask(kubectl, 'edge-1', 'create', 'cm', 'followed');
    await ask(kubectl, 'edge-1', 'label', 'cm', 'followed', 'a=b');
    await ask(kubectl, 'edge-1', 'delete', 'cm', 'followed');
    const lines = (): string[] => text.split('\n').filter((line) => line.endsWith(`/${name}`));
    await waitFor(`the changes at ${context}: ${text}`, () => lines().length === 3);
    watch.kill('SIGTERM');
    await ended;
    t.pass(context);
  }
}

async function overAllEdges(says: Says): Promise<void> {
  await says(/^edge-1\.(\S+) +Ready .*\nedge-2\.\1 +Ready /mu, 'get', 'nodes');
  await says(/^edge-2\.\S+ +Ready [^\n]*$(?!\n)/mu, 'get', 'nodes', '-l', 'causeway.io/edge=edge-2', '--no-headers');
  await says('NAME        LITRES\nedge-1.p1   5', 'get', 'pumps');
  await says(/^Name: +edge-1\.p1$[^]*causeway\.io\/name: p1$[^]*Litres: +5$/mu, 'describe', 'pump', 'edge-1.p1');
  await says(/containers\t<\[\]Object>/u, 'explain', 'pod.spec');
}

async function readOnly(refuses: Refuses): Promise<void> {
  const says = /\(MethodNotAllowed\): .*read only; write at one of them, under \/edges\/EDGE\/kube/u;
  await refuses(says, 'label', 'pump', 'edge-1.p1', 'a=b');
  await refuses(says, 'delete', 'pump', 'edge-1.p1');
  await refuses(
    /pumps\.example\.com "p1" not found: here names begin with the edge, as EDGE\.p1/u,
    'get',
    'pump',
    'p1',
  );
}

async function atTheFleet(says: Says): Promise<void> {
  await says(/^edgenodes +\S+ +causeway\.io\/v1 +false +EdgeNode$/mu, 'api-resources');
  await says(/^NAME +ADMISSION +ONLINE +LINKS +AGENT +LAST CONTACT +AGE\nedge-1 +Allowed +True +2 /u, 'get', 'edges');
  await says(/^Kind: +EdgeNode$[^]*Online: +true$/mu, 'describe', 'edge', 'edge-1');
  await says(/conditions\t<\[\]Object>/u, 'explain', 'edgenode.status', '--recursive');
  await says('edgenode.causeway.io/edge-2 labeled', 'label', 'edge', 'edge-2', 'team=a');
  await says('edgenode.causeway.io/edge-2', 'get', 'edges', '-l', 'team=a', '-o', 'name');
  await says('edgenode.causeway.io/edge-2 condition met', 'wait', '--for=condition=Online', 'edge/edge-2');
  const denied = '{"spec":{"admission":"Denied"}}';
  await says(
    'edgenode.causeway.io/edge-2 patched',
    ...['patch', 'edge', 'edge-2', '--type=merge', '--dry-run=server', '-p', denied],
  );
}

function said(t: Test, kubectl: Kubectl, context: string): Says {
  return async (expected, ...args) => {
    const { exitCode, stdout, stderr } = await ask(kubectl, context, ...args);
    const text = `${stdout}${stderr}`.replaceAll(/\b(?:\d+[smh])+(?=\s|$)/gu, 'AGE').trim();
    const lines = text.split('\n').map((line) => line.trimEnd());
    const plain = lines.join('\n').replaceAll(/AGE {1,2}(?=$)/gmu, 'AGE');
    const title = `${context}: ${args.join(' ')}`;
    if (typeof expected === 'string') t.equal(plain, expected, title);
    else t.match(plain, expected, title);
    t.equal(exitCode, 0, title);
  };
}

function refusing(t: Test, kubectl: Kubectl, context: string): Refuses {
  return async (expected, ...args) => {
    const { exitCode, stderr } = await ask(kubectl, context, ...args);
    t.match(stderr, expected, `${context}: ${args.join(' ')}`);
    t.equal(exitCode, 1);
  };
}

function ask({ program, env }: Kubectl, context: string, ...args: readonly string[]): Promise<Ran> {
  return run(program, ['--context', context, ...args], env);
}

/** Every kubectl that the PATH leads to, each once; where there is none, the name by which its absence is told. */
function programs(): readonly string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const found = folders.map((folder) => join(folder, 'kubectl')).filter((path) => existsSync(path));
  return found.length === 0 ? ['kubectl'] : [...new Set(found.map((path) => realpathSync(path)))];
}
