import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import { LiveState, PrintedState, type KubeState } from './kube-state.ts';
import { PodPrints, type SampleResource } from './sample-objects.ts';

/** An edge's API, at `/NAME`. */
export interface OriginEdge {
  readonly name: string;
  readonly pods: number;
  readonly configMaps?: number;
  /** Of each. Default 1,024. */
  readonly configMapBytes?: number;
  /** Its Pods are made when they are listed, and never change: for many edges at once. */
  readonly printed?: boolean;
}

export interface OriginOptions {
  readonly edges: readonly OriginEdge[];
}

export interface ChangeCommand {
  readonly edge: string;
  readonly resource: SampleResource;
  readonly count: number;
  /** Default: all at once. */
  readonly perSecond?: number;
  readonly stamped?: boolean;
}

export interface ChangeResult {
  /** Of these events as a plain watch has them. */
  readonly lineBytes: number;
}

/** Kubernetes APIs of edges, in a process of their own. */
export async function startKubeOrigin(options: OriginOptions): Promise<Child<{ readonly port: number }>> {
  return await startChild(import.meta.filename, options);
}

/** Changes objects; resolves when all are changed. */
export async function changeObjects(port: number, command: ChangeCommand): Promise<ChangeResult> {
  const response = await fetch(`http://127.0.0.1:${port}/change`, { method: 'POST', body: JSON.stringify(command) });
  if (!response.ok) throw new Error(`the API did not change: ${await response.text()}`);
  const result: unknown = await response.json();
  return result as ChangeResult;
}

type States = Readonly<Partial<Record<string, KubeState>>>;

const listHeads: Readonly<Record<string, { readonly kind: string }>> = {
  pods: { kind: 'PodList' },
  configmaps: { kind: 'ConfigMapList' },
};

const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
const documents: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', groups: [] },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [
      { name: 'pods', singularName: 'pod', kind: 'Pod', namespaced: true, shortNames: ['po'], verbs },
      { name: 'configmaps', singularName: 'configmap', kind: 'ConfigMap', namespaced: true, shortNames: ['cm'], verbs },
    ],
  },
  '/version': { gitVersion: 'v1.34.0' },
};

async function run({ edges }: OriginOptions): Promise<{ port: number }> {
  const states = new Map<string, States>();
  const prints = new PodPrints(Math.max(0, ...edges.filter(({ printed }) => printed).map(({ pods }) => pods)));
  for (const { name, pods, configMaps = 0, configMapBytes, printed } of edges) {
    states.set(name, {
      pods:
        printed === true ? new PrintedState(pods, (index) => prints.print(name, index)) : new LiveState('pods', pods),
      configmaps: new LiveState('configmaps', configMaps, configMapBytes),
    });
  }
  const server = createServer({ keepAliveTimeout: 600_000, noDelay: true }, (request, response) => {
    const url = new URL(request.url ?? '/', 'http://origin');
    if (url.pathname === '/change') void change(request, response, states);
    else answer(response, url, states);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port };
}

function answer(response: ServerResponse, { pathname, searchParams }: URL, states: ReadonlyMap<string, States>): void {
  const [, edge = '', path = ''] = /^\/([^/]+)(\/.*)$/u.exec(pathname) ?? [];
  const resource = /^\/api\/v1\/(pods|configmaps)$/u.exec(path)?.[1] ?? '';
  const state = states.get(edge)?.[resource];
  const document = documents[path];
  if (state !== undefined && searchParams.get('watch') === 'true') watch(response, searchParams, state);
  else if (state !== undefined) list(response, searchParams, state, listHeads[resource]?.kind ?? '');
  else if (document !== undefined) sendJson(response, 200, document);
  else sendJson(response, 404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 });
}

function list(response: ServerResponse, query: URLSearchParams, state: KubeState, kind: string): void {
  const limit = Number(query.get('limit') ?? 0) || state.length;
  const [version = state.version, from = 0] = (query.get('continue') ?? '').split('.').filter(Boolean).map(Number);
  if (version !== state.version) {
    sendJson(response, 410, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Expired', code: 410 });
    return;
  }
  const next = from + limit < state.length ? { continue: `${version}.${from + limit}` } : {};
  const head = { kind, apiVersion: 'v1', metadata: { resourceVersion: String(version), ...next } };
  response.setHeader('content-type', 'application/json');
  const items = state.page(from, limit).flatMap((item, index) => (index === 0 ? [item] : [comma, item]));
  response.end(Buffer.concat([Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`), ...items, listEnd]));
}

const comma = Buffer.from(',');
const listEnd = Buffer.from(']}\n');

function watch(response: ServerResponse, query: URLSearchParams, state: KubeState): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  state.watch(response, Number(query.get('resourceVersion')));
  const timer = setTimeout(() => response.end(), Number(query.get('timeoutSeconds') ?? 3600) * 1000);
  response.once('close', () => clearTimeout(timer));
}

async function change(
  request: IncomingMessage,
  response: ServerResponse,
  states: ReadonlyMap<string, States>,
): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const command = JSON.parse(Buffer.concat(parts).toString()) as ChangeCommand;
  const state = states.get(command.edge)?.[command.resource];
  if (!(state instanceof LiveState)) return sendJson(response, 404, { reason: 'nothing there that changes' });
  const before = state.lineBytes;
  await changeAll(state, command);
  sendJson(response, 200, { lineBytes: state.lineBytes - before } satisfies ChangeResult);
}

async function changeAll(state: LiveState, { count, perSecond, stamped = false }: ChangeCommand): Promise<void> {
  const begin = performance.now();
  for (let done = 0; done < count;) {
    const due = perSecond === undefined ? count : Math.min(count, ((performance.now() - begin) / 1_000) * perSecond);
    for (; done < due; done++) state.change(stamped);
    if (done < count) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

if (import.meta.main) serveAsChild(run);
