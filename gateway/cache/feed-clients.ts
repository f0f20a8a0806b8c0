import { systemClock, type BackoffOptions, type Clock, type Log, type Timer } from '../../base/index.ts';
import type { KindStreamOpener } from '../../tunnel/index.ts';
import { FeedClient } from './feed-client.ts';
import type { ResourceCaches } from './resource-caches.ts';

export interface FeedClientsOptions {
  readonly caches: ResourceCaches;
  readonly opener: KindStreamOpener;
  /** `replica/SITE/NAME`. */
  readonly principal: string;
  /** What is known of an edge that has, or had, links to this replica. */
  readonly find: (edge: string) => EdgePresence | undefined;
  readonly log: Log;
  readonly clock?: Clock;
  /** Between streams to one edge. Default: one quick try, then up to 30 s. */
  readonly backoff?: BackoffOptions;
  /** The service that is fed. Default `kube`. */
  readonly service?: string;
}

/** An edge as the registry knows it. */
export interface EdgePresence {
  readonly instance: string;
  readonly services: readonly { readonly name: string; readonly kind: string }[];
  readonly links: readonly unknown[];
}

const TICK_MS = 1000;

/** Keeps the caches fed: a stream to each edge that is online and serves `kube`. */
export class FeedClients {
  readonly #options: FeedClientsOptions;
  readonly #clock: Clock;
  readonly #clients = new Map<string, FeedClient>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: FeedClientsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#tick();
  }

  get clients(): ReadonlyMap<string, FeedClient> {
    return this.#clients;
  }

  /** The links of an edge have changed. */
  edgeChanged(edge: string): void {
    if (this.#isClosed) return;
    const { find, caches, opener, principal, log, service = 'kube' } = this.#options;
    const presence = find(edge);
    const isOnline = presence !== undefined && presence.links.length > 0;
    const isServed = presence?.services.some(({ name, kind }) => name === service && kind === 'http') === true;
    let client = this.#clients.get(edge);
    if (client === undefined) {
      if (!isOnline || !isServed) return;
      client = new FeedClient({
        cache: caches.edge(edge),
        opener,
        service,
        principal,
        clock: this.#clock,
        log,
        backoff: this.#options.backoff ?? {},
        onApplied: (copies) => caches.weigh(copies),
      });
      this.#clients.set(edge, client);
    }
    client.online(isOnline && isServed ? presence.instance : undefined);
  }

  /** The edge was deleted. */
  async forget(edge: string): Promise<void> {
    const client = this.#clients.get(edge);
    this.#clients.delete(edge);
    await client?.close();
    await this.#options.caches.forget(edge);
  }

  /** Ends all streams; what has come is applied. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await Promise.all(Array.from(this.#clients.values(), (client) => client.close()));
  }

  #tick(): void {
    this.#timer = this.#clock.after(TICK_MS, () => {
      for (const client of this.#clients.values()) client.tick();
      this.#tick();
    });
  }
}
