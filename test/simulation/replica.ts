import { tunnelError } from '../../tunnel/tunnel-error.ts';
import type { CodedError } from '../../base/index.ts';
import type { Crossing } from '../../tunnel/crossing.ts';
import type { OpenFrame } from '../../tunnel/frame.ts';
import type { Link, LinkBody } from '../../tunnel/link.ts';
import { LoopPort } from '../../tunnel/loop-port.ts';
import type { Port } from '../../tunnel/port.ts';
import { Switch, type Route } from '../../tunnel/switch.ts';
import { Ticker } from '../../tunnel/ticker.ts';
import { WindowPool } from '../../tunnel/window.ts';
import { Late } from './late.ts';
import type { Party } from './party.ts';
import type { Limits } from './plan.ts';
import type { Process } from './virtual-clock.ts';

/** Where an edge is: the link that its agent says it uses. A later word has a higher number. */
export interface Whereabouts {
  readonly replica: Replica;
  readonly link: Link;
  readonly order: number;
}

export interface ReplicaHost {
  readonly whereabouts: Map<string, Whereabouts>;
  /** The edge uses this link from now on. */
  onActive(edge: string, whereabouts: Whereabouts): void;
  /** What the seed has in mind for a lookup: to answer at once, after a while, or with a refusal. */
  lookup(): { readonly kind: 'now' | 'refuse' } | { readonly kind: 'later'; readonly afterMs: number };
  fail(message: string): void;
}

/** A switch that watches that nothing queues up beyond what the hop's window allows. */
class WatchedSwitch extends Switch {
  onQueued: (crossing: Crossing) => void = () => {};

  override queued(crossing: Crossing, bytes: number): void {
    super.queued(crossing, bytes);
    if (bytes > 0) this.onQueued(crossing);
  }
}

/** A gateway process: a switch with its links. */
export class Replica {
  readonly process: Process;
  readonly name: string;
  readonly ticker: Ticker;
  readonly switch: WatchedSwitch;
  readonly pool: WindowPool;
  readonly limits: Limits;
  /** Links to other replicas, by name. */
  readonly peers = new Map<string, Link>();
  /** Clients in this very process, and the ports that join them. */
  readonly inside: Party[] = [];
  readonly loops: LoopPort[] = [];
  /** Who dialed each link. */
  readonly #names = new Map<Port, string>();
  readonly #host: ReplicaHost;

  constructor(process: Process, name: string, limits: Limits, host: ReplicaHost) {
    this.process = process;
    this.name = name;
    this.limits = limits;
    this.#host = host;
    this.ticker = new Ticker(process);
    this.pool = new WindowPool(limits);
    this.switch = new WatchedSwitch({
      clock: process,
      limits,
      pool: this.pool,
      route: (open, from, wanted) => this.#route(open, from, wanted),
    });
    const lane = Math.max(limits.maxWindowBytes, limits.openCreditBytes);
    this.switch.onQueued = (crossing) => {
      // Both directions, each at most its hop's window; what is held for a route is at most the credit of an OPEN.
      if (crossing.queuedBytes > 2 * lane) host.fail(`${name} queues ${crossing.queuedBytes} bytes of one stream`);
    };
  }

  /** Joins an endpoint of this process. */
  loop(id: string): LoopPort {
    const [inner, outer] = LoopPort.pair(id, this.process, this.limits);
    this.#names.set(inner, id);
    inner.user = this.switch.attach(inner);
    this.loops.push(outer);
    return outer;
  }

  onOpen(link: Link, body: LinkBody): void {
    const name = String(body['name']);
    this.#names.set(link, name);
    link.streams = this.switch.attach(link);
    if (body['kind'] === 'replica') this.peers.set(name, link);
  }

  onUpdate(link: Link, body: LinkBody): void {
    this.#host.onActive(this.#names.get(link) ?? '', { replica: this, link, order: Number(body['order']) });
  }

  onClose(link: Link): void {
    const name = this.#names.get(link) ?? '';
    this.#names.delete(link);
    if (this.#host.whereabouts.get(name)?.link === link) this.#host.whereabouts.delete(name);
    if (this.peers.get(name) === link) this.peers.delete(name);
  }

  #route(open: OpenFrame, from: Port, wanted: { readonly gone: boolean }): Route | Promise<Route> {
    const lookup = this.#host.lookup();
    switch (lookup.kind) {
      case 'now':
        return this.#find(open, from);
      case 'refuse':
        return { refuse: tunnelError('not-here') };
      case 'later': {
        const late = Late.create<Route>();
        this.process.after(lookup.afterMs, () =>
          late.keep(wanted.gone ? refuse(tunnelError('not-here')) : this.#find(open, from)),
        );
        return late;
      }
    }
  }

  #find(open: OpenFrame, from: Port): Route {
    const name = this.#names.get(from) ?? '';
    const isPeer = name.startsWith('replica');
    const principal = isPeer ? open.target.principal : name;
    if (open.target.service === 'denied') return refuse(tunnelError('denied'));
    const found = this.#host.whereabouts.get(open.target.edge);
    if (found === undefined) return refuse(tunnelError('not-here'));
    if (found.replica === this) return { port: found.link, principal };
    const peer = this.peers.get(found.replica.name);
    return isPeer || peer === undefined ? refuse(tunnelError('not-here')) : { port: peer, principal };
  }
}

function refuse(error: CodedError): Route {
  return { refuse: error };
}
