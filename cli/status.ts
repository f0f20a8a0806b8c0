import { loadKeyStore } from '../certs/index.ts';
import { messageOf } from '../base/index.ts';
import { Api, CodedError } from '../sdk/index.ts';
import { clientConfig, clientOption } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { listNodes, type ShownNode } from './edge-nodes.ts';
import { ago, outputOption, show, table } from './output.ts';

export const statusCommand: CommandSpec = {
  name: 'status',
  summary: 'show the fleet at a glance',
  options: [clientOption, outputOption],
  notes: 'The exit code is 5 when no replica answers.',
  examples: ['status', 'status --output json'],
  run: status,
};

interface ReplicaStatus {
  readonly api: string;
  readonly state: 'ready' | 'draining' | 'unreachable';
  readonly name?: string;
  readonly version?: string;
  /** What passes through it now. */
  readonly streams?: number;
  readonly links?: number;
  readonly error?: string;
  readonly nodes?: readonly ShownNode[];
}

async function status(input: CommandInput): Promise<void> {
  const config = await clientConfig(input);
  const keys = await loadKeyStore(config.keys, config.keyPassword);
  const asked = await Promise.all(
    config.replicas.map(async ({ api: url }) => {
      const api = new Api([url], keys);
      try {
        return await askReplica(url, api);
      } finally {
        await api.close();
      }
    }),
  );
  // What one replica knows of an edge's links, another may not: an edge is online when any of them says so.
  const nodes = new Map<string, ShownNode>();
  for (const node of asked.flatMap((replica) => replica.nodes ?? [])) {
    if (nodes.get(node.metadata.name)?.status.online !== true) nodes.set(node.metadata.name, node);
  }
  const replicas = asked.map(({ nodes: _nodes, ...replica }) => replica);
  const all = [...nodes.values()];
  const away = all.filter(({ spec, status: { online } }) => !online && spec.admission === 'Allowed');
  const edges = {
    known: all.length,
    allowed: all.filter(({ spec }) => spec.admission === 'Allowed').length,
    online: all.filter((node) => node.status.online).length,
    offline: away.map(({ metadata }) => metadata.name),
  };
  show(input, {
    value: { replicas, edges },
    names: replicas.map(({ name, api }) => name ?? api),
    text: () => glance(replicas, { ...edges, offline: away.map(withContact) }),
  });
  if (replicas.every(({ state }) => state === 'unreachable')) {
    throw new CodedError('link-refused', 'no replica answers', {
      fix: 'look whether they run, and at the addresses in client.yaml',
    });
  }
}

async function askReplica(url: string, api: Api): Promise<ReplicaStatus> {
  try {
    const ready = await api.request('GET', '/readyz');
    const version = await api.json('GET', '/version');
    const metrics = (await api.request('GET', '/metrics')).body.toString('utf8');
    const name = field(version, 'replica');
    const site = field(version, 'site');
    return {
      api: url,
      state: ready.status === 200 ? 'ready' : 'draining',
      name: site === '' ? name : `${site}/${name}`,
      version: field(version, 'causeway'),
      streams: metric(metrics, 'causeway_switch_streams'),
      links: metric(metrics, 'causeway_links'),
      nodes: await listNodes(api),
    };
  } catch (error) {
    return { api: url, state: 'unreachable', error: messageOf(error) };
  }
}

function glance(
  replicas: readonly ReplicaStatus[],
  edges: { known: number; allowed: number; online: number; offline: readonly string[] },
): string {
  const rows = replicas.map(({ name, api, state, version, links, streams, error }) => [
    name ?? '-',
    api,
    state,
    version ?? '-',
    String(links ?? '-'),
    String(streams ?? '-'),
    error ?? '',
  ]);
  const offline =
    edges.offline.length === 0
      ? ''
      : `\nOffline: ${edges.offline.slice(0, 20).join(', ')}${edges.offline.length > 20 ? ' ...' : ''}`;
  return `${table(['REPLICA', 'API', 'STATE', 'VERSION', 'LINKS', 'STREAMS', ''], rows)}
Edges: ${edges.online} of ${edges.allowed} allowed are online, ${edges.known} known${offline}\n`;
}

function withContact({ metadata, status: { lastContact } }: ShownNode): string {
  return `${metadata.name} (${lastContact == null ? 'never in contact' : `last contact ${ago(lastContact)} ago`})`;
}

function field(value: unknown, key: string): string {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return '';
  return String((value as Readonly<Record<string, unknown>>)[key]);
}

function metric(metrics: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'mu').exec(metrics)?.[1] ?? 0);
}
