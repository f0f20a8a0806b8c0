import { silentLog, systemClock, type Clock, type Log } from '../../base/index.ts';
import { EdgeFeed } from '../../edge-agent/feed/edge-feed.ts';
import { feedConfigSchema } from '../../edge-agent/feed/index.ts';
import { FeedClients, ResourceCaches, type ResourceCachesOptions } from '../../gateway/cache/index.ts';
import type { Transport } from '../../resources/index.ts';
import { ScriptedApi } from './scripted-api.ts';
import { MemoryOpener, type PairedStream } from './stream-pair.ts';

/** A clock that runs faster than time, so that what happens every half minute happens in a test. */
export function fastClock(times: number): Clock {
  return {
    now: () => systemClock.now() * times,
    after: (delayMs, run) => systemClock.after(delayMs / times, run),
    defer: (run) => systemClock.defer(run),
    afterInput: (run) => systemClock.afterInput(run),
  };
}

/** What discovery says of the scripted API. */
const documents: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', groups: [] },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [
      {
        name: 'pods',
        singularName: 'pod',
        kind: 'Pod',
        namespaced: true,
        shortNames: ['po'],
        verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'],
      },
      { name: 'secrets', singularName: 'secret', kind: 'Secret', namespaced: true, verbs: ['list', 'watch'] },
    ],
  },
  '/version': { gitVersion: 'v1.34.0' },
};

/** A scripted API with discovery, and a feed over it, as an agent has them; streams to it are opened in memory. */
export class FedEdge {
  readonly api = new ScriptedApi();
  readonly opener: MemoryOpener;
  /** Whether the API answers anything but a broken connection. */
  isReachable = true;
  /** What lists of Secrets, of which there are none, are answered with. */
  secretsStatus = 404;
  #feed: EdgeFeed;
  readonly #clock: Clock;
  readonly #config: ReturnType<typeof feedConfigSchema.parse>;
  instance = 1;
  /** The replicas' ends of all streams that there ever were. */
  readonly #openers: PairedStream[] = [];

  constructor(clock: Clock, config: Record<string, unknown> = {}) {
    this.#clock = clock;
    this.#config = feedConfigSchema.parse({ resources: ['pods'], ...config });
    this.api.chunkBytes = 64 * 1024;
    this.#feed = this.#newFeed();
    this.opener = new MemoryOpener((stream) => this.#serve(stream));
  }

  /** Bytes that the agent has sent. */
  get sentBytes(): number {
    return this.#openers.reduce((sum, { writes }) => sum + writes.reduce((part, bytes) => part + bytes, 0), 0);
  }

  get feed(): EdgeFeed {
    return this.#feed;
  }

  /** Another process of the agent: the log is gone. */
  async restart(): Promise<void> {
    const old = this.#feed;
    this.instance++;
    this.#feed = this.#newFeed();
    this.cut();
    await old.close();
  }

  /** All streams are lost. */
  cut(): void {
    for (const stream of [...this.opener.streams]) stream.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await this.#feed.close();
  }

  #serve(stream: PairedStream): void {
    if (stream.peer !== undefined) this.#openers.push(stream.peer);
    this.#feed.serve(stream);
  }

  #newFeed(): EdgeFeed {
    return new EdgeFeed({ config: this.#config, transport: this.transport, clock: this.#clock, log: silentLog });
  }

  readonly transport: Transport = async (request) => {
    if (!this.isReachable) throw new Error('no route');
    if (request.path.startsWith('/api/v1/secrets') && !request.path.includes('watch=true'))
      return this.secretsStatus === 200
        ? answer({ kind: 'SecretList', apiVersion: 'v1', metadata: { resourceVersion: '10' }, items: [] })
        : answer({ kind: 'Status', status: 'Failure', code: this.secretsStatus, message: 'no' }, this.secretsStatus);
    const document = documents[request.path.replace(/\?.*$/u, '')];
    if (document === undefined) return await this.api.transport(request);
    return answer(document);
  };
}

function answer(document: unknown, status = 200) {
  const text = Buffer.from(JSON.stringify(document));
  const body = (async function* () {
    yield text;
  })();
  return { status, headers: {}, body };
}

/** Caches and their feeds, as a replica has them. */
export class FedReplica {
  readonly caches: ResourceCaches;
  readonly feeds: FeedClients;
  readonly #edges: ReadonlyMap<string, FedEdge>;
  readonly #offline = new Set<string>();

  constructor(
    edges: ReadonlyMap<string, FedEdge>,
    clock: Clock,
    options: Partial<ResourceCachesOptions> & { readonly log?: Log } = {},
  ) {
    this.#edges = edges;
    const { log = silentLog } = options;
    this.caches = new ResourceCaches({ clock, log, ...options });
    this.feeds = new FeedClients({
      caches: this.caches,
      clock,
      log,
      principal: 'replica/site-a/r0',
      backoff: { quickTries: 1000, quickMs: 100 },
      opener: {
        open: (target, open) => {
          const edge = this.#edges.get(target.edge);
          if (edge === undefined) throw new Error(`there is no ${target.edge}`);
          return edge.opener.open(target, open);
        },
      },
      find: (name) => this.#find(name),
    });
  }

  /** Loads snapshots, and opens the feeds. */
  async start(): Promise<void> {
    await this.caches.load();
    for (const edge of this.#edges.keys()) this.feeds.edgeChanged(edge);
  }

  setOnline(edge: string, isOnline: boolean): void {
    if (isOnline) this.#offline.delete(edge);
    else this.#offline.add(edge);
    this.feeds.edgeChanged(edge);
  }

  async close(): Promise<void> {
    await this.feeds.close();
    await this.caches.close();
  }

  #find(name: string) {
    const edge = this.#edges.get(name);
    if (edge === undefined) return undefined;
    return {
      instance: `${name}-${edge.instance}`,
      services: [{ name: 'kube', kind: 'http' }],
      links: this.#offline.has(name) ? [] : [{}],
    };
  }
}
