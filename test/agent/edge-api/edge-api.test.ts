import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type Test } from 'tap';
import { silentLog, systemClock } from '../../../base/index.ts';
import { agentConfigSchema } from '../../../edge-agent/index.ts';
import { startEdgeApi, startEmbedded, type EdgeApi } from '../../../edge-agent/edge-api/index.ts';
import { Lifecycle } from '../../../base/index.ts';
import { waitFor } from '../../support/wait-for.ts';

interface Answer {
  readonly status: number;
  // The shape is what each test says that it is.
  readonly body: Readonly<Record<string, never>> & { readonly [key: string]: unknown };
}

function call(api: EdgeApi, method: string, path: string, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers = body === undefined ? {} : { 'content-type': type };
    const sent = request({ socketPath: api.socketPath, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString('utf8')) }),
      );
    });
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'edge-api-'));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
}

async function start(
  t: Test,
  options: { data?: string; definitions?: string[]; wallClock?: () => number } = {},
): Promise<EdgeApi> {
  const data = options.data ?? (await folder(t));
  const api = await startEdgeApi({ agentVersion: '1.2.3', clock: systemClock, log: silentLog, ...options, data });
  t.teardown(() => api.close());
  return api;
}

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { a: 'b' },
});

test('the node of an edge without Kubernetes is the machine that the agent runs on', async (t) => {
  const api = await start(t);
  const { body } = await call(api, 'GET', '/api/v1/nodes');
  t.match(body, {
    kind: 'NodeList',
    items: [
      {
        metadata: { labels: { 'kubernetes.io/os': 'linux' } },
        status: {
          capacity: { cpu: String(availableParallelism()), memory: `${Math.floor(totalmem() / 1024)}Ki` },
          conditions: [{ type: 'Ready', status: 'True' }],
          nodeInfo: { kubeletVersion: 'causeway-1.2.3', operatingSystem: 'linux' },
        },
      },
    ],
  });
});

test('only the user of the agent can open its socket', async (t) => {
  const api = await start(t);
  t.equal((await stat(dirname(api.socketPath))).mode & 0o777, 0o700);
});

test('what was made is there after a restart, with the same version', async (t) => {
  const data = await folder(t);
  const before = await start(t, { data });
  const made = await call(before, 'POST', CONFIG_MAPS, configMap('kept'));
  t.equal(made.status, 201);
  await before.close();
  const after = await start(t, { data });
  const found = await call(after, 'GET', `${CONFIG_MAPS}/kept`);
  t.strictSame(found.body, made.body);
});

test('nothing can be made in a namespace that is not there', async (t) => {
  const api = await start(t);
  const { status, body } = await call(api, 'POST', '/api/v1/namespaces/nowhere/configmaps', configMap('lost'));
  t.equal(status, 404);
  t.match(body, { kind: 'Status', reason: 'NotFound', message: 'namespaces "nowhere" not found' });
});

const NAMESPACES = '/api/v1/namespaces';
const namespace = (name: string, finalizers: readonly string[] = []): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, finalizers },
});

async function isGone(api: EdgeApi, name: string): Promise<boolean> {
  return (await call(api, 'GET', `${NAMESPACES}/${name}`)).status === 404;
}

test('a namespace that is deleted takes with it what is in it', async (t) => {
  const api = await start(t);
  t.equal((await call(api, 'POST', NAMESPACES, namespace('short'))).status, 201);
  t.equal((await call(api, 'POST', `${NAMESPACES}/short/configmaps`, configMap('gone'))).status, 201);
  t.equal((await call(api, 'POST', CONFIG_MAPS, configMap('stays'))).status, 201);
  t.equal((await call(api, 'DELETE', `${NAMESPACES}/short`)).status, 200);
  t.equal((await call(api, 'GET', `${NAMESPACES}/short/configmaps/gone`)).status, 200, 'not at once');
  const late = await call(api, 'POST', `${NAMESPACES}/short/configmaps`, configMap('late'));
  t.match(late, { status: 403, body: { reason: 'Forbidden', message: /the namespace short is being deleted/ } });
  await waitFor('what is shown', async () => {
    const { body } = await call(api, 'GET', `${NAMESPACES}/short`);
    return (body['status'] as unknown as { phase?: string } | undefined)?.phase === 'Terminating';
  });
  await waitFor('the end of the namespace', () => isGone(api, 'short'));
  const { body } = await call(api, 'GET', '/api/v1/configmaps');
  t.match(body['items'], [{ metadata: { name: 'stays' } }]);
  t.equal((body['items'] as unknown as readonly unknown[]).length, 1);
});

test('a namespace that was being deleted when the agent ended is emptied by the next', async (t) => {
  const data = await folder(t);
  const before = await start(t, { data });
  await call(before, 'POST', NAMESPACES, namespace('short', ['example.com/mine']));
  await call(before, 'POST', `${NAMESPACES}/short/configmaps`, configMap('gone'));
  await call(before, 'DELETE', `${NAMESPACES}/short`);
  await before.close();
  const after = await start(t, { data });
  const path = `${NAMESPACES}/short`;
  await waitFor('the namespace to be empty', async () => {
    return (await call(after, 'GET', `${path}/configmaps/gone`)).status === 404;
  });
  const held = await waitFor('its own finalizer to go', async () => {
    const { body } = await call(after, 'GET', path);
    const { finalizers } = body['metadata'] as unknown as { finalizers: readonly string[] };
    return finalizers.length === 1 ? finalizers : undefined;
  });
  t.strictSame(held, ['example.com/mine'], 'what others hold stays held');
  await call(after, 'PATCH', path, { metadata: { finalizers: null } });
  t.ok(await isGone(after, 'short'));
});

test('a namespace is held by its contents whatever is written over it', async (t) => {
  const api = await start(t);
  await call(api, 'POST', NAMESPACES, namespace('short'));
  t.equal((await call(api, 'PUT', `${NAMESPACES}/short`, namespace('short'))).status, 200);
  await call(api, 'POST', `${NAMESPACES}/short/configmaps`, configMap('gone'));
  await call(api, 'DELETE', `${NAMESPACES}/short`);
  t.notOk(await isGone(api, 'short'));
  await call(api, 'PATCH', `${NAMESPACES}/short`, { metadata: { finalizers: null } });
  t.notOk(await isGone(api, 'short'));
  await waitFor('the end of the namespace', () => isGone(api, 'short'));
  t.match(await call(api, 'GET', '/api/v1/configmaps'), { body: { items: [] } });
});

test('the namespaces that every cluster has cannot be deleted', async (t) => {
  const api = await start(t);
  for (const name of ['default', 'kube-system'])
    t.match(await call(api, 'DELETE', `${NAMESPACES}/${name}`), { status: 403, body: { reason: 'Forbidden' } });
});

test('kinds of definition files are served, and a file that is wrong is named', async (t) => {
  const file = join(await folder(t), 'kinds.yaml');
  const definition = (plural: string, kind: string): string => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${plural}.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: ${plural}, singular: ${kind.toLowerCase()}, kind: ${kind}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`;
  await writeFile(file, `${definition('pumps', 'Pump')}---${definition('valves', 'Valve')}`);
  const api = await start(t, { definitions: [file] });
  const pump = { apiVersion: 'example.com/v1', kind: 'Pump', metadata: { name: 'one' }, spec: { size: 'big' } };
  const path = '/apis/example.com/v1/namespaces/default';
  const refused = await call(api, 'POST', `${path}/pumps`, pump);
  t.equal(refused.status, 422);
  t.match(refused.body, { details: { causes: [{ field: 'spec.size' }] } });
  t.equal((await call(api, 'POST', `${path}/pumps`, { ...pump, spec: { size: 3 } })).status, 201);
  t.match(await call(api, 'GET', `${path}/valves`), { status: 200, body: { kind: 'ValveList', items: [] } });

  const kinds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  t.match(await call(api, 'GET', kinds), {
    body: { items: [{ metadata: { name: 'pumps.example.com' } }, { metadata: { name: 'valves.example.com' } }] },
  });
  const { body } = await call(api, 'GET', `${kinds}/pumps.example.com`);
  t.match(body['status'], { conditions: [{ type: 'NamesAccepted' }, { type: 'Established', status: 'True' }] });
  const removed = await call(api, 'DELETE', `${kinds}/pumps.example.com`);
  t.match(removed, { status: 405, body: { message: /files that the agent’s configuration names/ } });

  await writeFile(file, 'kind: Pod\n');
  await t.rejects(start(t, { definitions: [file] }), { message: /kinds\.yaml/u });
});

test('the versions of a kind are the same objects', async (t) => {
  const file = join(await folder(t), 'kinds.yaml');
  const version = (name: string, storage: boolean): string =>
    `{name: ${name}, served: true, storage: ${storage}, schema: {openAPIV3Schema: {type: object}}}`;
  await writeFile(
    file,
    `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pumps.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: pumps, singular: pump, kind: Pump}
  versions: [${version('v1', false)}, ${version('v2', true)}]
`,
  );
  const api = await start(t, { definitions: [file] });
  const path = (of: string): string => `/apis/example.com/${of}/namespaces/default/pumps`;
  const pump = { apiVersion: 'example.com/v1', kind: 'Pump', metadata: { name: 'one' } };
  t.equal((await call(api, 'POST', path('v1'), pump)).status, 201);
  t.match(await call(api, 'GET', `${path('v2')}/one`), { status: 200, body: { apiVersion: 'example.com/v2' } });
  t.match(await call(api, 'GET', `${path('v1')}/one`), { status: 200, body: { apiVersion: 'example.com/v1' } });
});

test('an embedded API is an agent’s service; without a folder for its objects the configuration is refused', async (t) => {
  const config = { gateways: ['gw:1'], keys: 'keys', services: [{ name: 'kube', kind: 'embedded' }] };
  const lifecycle = new Lifecycle({ clock: systemClock });
  t.teardown(() => lifecycle.close('done'));
  const options = { agentVersion: '1', clock: systemClock, log: silentLog, lifecycle };
  await t.rejects(startEmbedded(agentConfigSchema.parse(config), options), {
    code: 'service-invalid',
    message: /kube.*data/u,
  });
  const [service] = await startEmbedded(agentConfigSchema.parse({ ...config, data: await folder(t) }), options);
  t.match(service, { name: 'kube', kind: 'http', cache: { resources: ['nodes', 'namespaces'] } });
  t.notOk(service?.kind === 'http' && service.cache?.resources.includes('secrets'), 'Secrets stay at the edge');
});
