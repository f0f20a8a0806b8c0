import type { Clock, Log } from '../../base/index.ts';
import { tunnelError, type KindStream } from '../../tunnel/index.ts';
import type { ServiceTable } from '../services/index.ts';
import { EdgeFeed } from './edge-feed.ts';
import type { FeedConfig } from './feed-config.ts';
import { serviceTransport } from './service-transport.ts';

export interface EdgeFeedsOptions {
  readonly services: ServiceTable;
  /** By service: what of it is fed. */
  readonly feeds: ReadonlyMap<string, FeedConfig>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The feeds of an edge's services, and who may open them: replicas, as the switch that let the stream pass says. */
export class EdgeFeeds {
  readonly #feeds = new Map<string, EdgeFeed>();

  /** Throws `service-invalid` for what is not a service of kind `http`. */
  constructor({ services, feeds, clock, log }: EdgeFeedsOptions) {
    for (const [name, config] of feeds) {
      const transport = serviceTransport(services.http(name));
      this.#feeds.set(name, new EdgeFeed({ config, transport, clock, log: log.child({ service: name }) }));
    }
  }

  /** By service. */
  get feeds(): ReadonlyMap<string, EdgeFeed> {
    return this.#feeds;
  }

  /** Takes a stream of kind `sync`, or refuses it: `denied`, `service-unknown`, and what the feed says. */
  dispatchStream(stream: KindStream): void {
    const { service, principal } = stream.target;
    const feed = this.#feeds.get(service);
    if (!principal.startsWith('replica/')) stream.refuse(tunnelError('denied', { detail: 'only replicas are fed' }));
    else if (feed === undefined) stream.refuse(tunnelError('service-unknown', { detail: `${service} is not fed` }));
    else feed.serve(stream);
  }

  /** May be called twice. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#feeds.values(), (feed) => feed.close()));
  }
}
