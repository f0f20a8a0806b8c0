import type { AcceptorCore } from '../../tunnel/acceptor-core.ts';
import { Endpoint } from '../../tunnel/endpoint.ts';
import type { Link } from '../../tunnel/link.ts';
import type { TunnelLimits } from '../../tunnel/limits.ts';
import { Ticker } from '../../tunnel/ticker.ts';
import { WindowPool } from '../../tunnel/window.ts';
import type { Process } from './virtual-clock.ts';

export interface PartyOptions {
  readonly process: Process;
  readonly name: string;
  readonly limits: TunnelLimits;
  readonly newId: () => string;
  readonly onStream?: (core: AcceptorCore) => void;
  /** Numbers what an agent says about its links. */
  readonly nextOrder: () => number;
}

/** A process with an endpoint and links to replicas: a client, or an agent that says which of its links it uses. */
export class Party {
  readonly process: Process;
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly ticker: Ticker;
  readonly pool: WindowPool;
  readonly limits: TunnelLimits;
  readonly links: Link[] = [];
  active: Link | undefined;
  /** It has shut down in order, and dials no more. */
  closing = false;
  readonly #options: PartyOptions;

  constructor(options: PartyOptions) {
    this.#options = options;
    this.process = options.process;
    this.name = options.name;
    this.limits = options.limits;
    this.ticker = new Ticker(options.process);
    this.pool = new WindowPool(options.limits);
    this.endpoint = new Endpoint({
      clock: options.process,
      limits: options.limits,
      pool: this.pool,
      instance: options.process.name,
      newId: options.newId,
      ...(options.onStream === undefined ? {} : { onStream: options.onStream }),
    });
  }

  onOpen(link: Link): void {
    link.streams = this.endpoint.attach(link, false);
    this.links.push(link);
    if (this.active === undefined) this.activate(link);
  }

  onClose(link: Link): void {
    const index = this.links.indexOf(link);
    if (index >= 0) this.links.splice(index, 1);
    if (this.active !== link) return;
    this.active = undefined;
    const [next] = this.links;
    if (next !== undefined) this.activate(next);
  }

  activate(link: Link): void {
    this.active = link;
    this.endpoint.prefer(link);
    link.update({ order: this.#options.nextOrder() });
  }
}
