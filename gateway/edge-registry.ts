import type { Clock, CodedError } from '../base/index.ts';
import { tunnelError, type Link, type Switch } from '../tunnel/index.ts';

/** What an agent said of itself in its HELLO. */
export interface EdgeHello {
  /** Who the agent takes itself for. The certificate decides; another name here is refused. */
  readonly edge?: string | undefined;
  readonly instance: string;
  readonly agentVersion: string;
  readonly services: readonly { readonly name: string; readonly kind: string }[];
  /** The epoch that this instance was given before; 0 when it is new. */
  readonly epoch: number;
}

/** One link of an edge. */
export interface EdgeLink {
  readonly link: Link;
  readonly active: boolean;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** An edge that has, or had, links to this replica. */
export interface EdgePresence {
  readonly edge: string;
  readonly instance: string;
  readonly epoch: number;
  readonly agentVersion: string;
  readonly services: EdgeHello['services'];
  readonly links: readonly EdgeLink[];
  /** When the last of its links was heard of, milliseconds since 1970. */
  readonly lastContact: number;
}

interface Presence {
  hello: EdgeHello;
  epoch: number;
  readonly links: Map<Link, number>;
  active: Link | undefined;
  turn: number;
  lastContact: number;
}

/** How an edge is reached from this replica's own links. */
export interface EdgeReach {
  readonly link: Link;
  readonly epoch: number;
  /** Counts the agent's choices of an active link: the highest of all replicas is the active one; 0: it chose none here. */
  readonly turn: number;
}

export interface EdgeRegistryOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly switch: Switch;
  readonly onChange?: (edge: string) => void;
}

/**
 * Which links reach which edge from this replica. The active link carries everything; when it goes, whatever other link
 * there is takes over at once, and who finds none waits a while for one.
 */
export class EdgeRegistry {
  readonly #options: EdgeRegistryOptions;
  readonly #edges = new Map<string, Presence>();

  constructor(options: EdgeRegistryOptions) {
    this.#options = options;
  }

  /** How many edges have a link now. */
  get online(): number {
    let online = 0;
    for (const presence of this.#edges.values()) if (presence.links.size > 0) online++;
    return online;
  }

  /** Edges that have a link now. */
  get linked(): readonly string[] {
    return [...this.#edges].flatMap(([edge, { links }]) => (links.size > 0 ? edge : []));
  }

  /** Whether an edge has a link, and when it was last heard of, for who asks with every request; undefined: it never was here. */
  contact(edge: string): { readonly isOnline: boolean; readonly lastContact: number } | undefined {
    const presence = this.#edges.get(edge);
    if (presence === undefined) return undefined;
    const isOnline = presence.links.size > 0;
    return { isOnline, lastContact: isOnline ? this.#options.wallClock() : presence.lastContact };
  }

  find(edge: string): EdgePresence | undefined {
    const presence = this.#edges.get(edge);
    if (presence === undefined) return undefined;
    const { hello, epoch, links, active } = presence;
    return {
      edge,
      instance: hello.instance,
      epoch,
      agentVersion: hello.agentVersion,
      services: hello.services,
      links: [...links].map(([link, since]) => ({ link, since, active: link === active })),
      lastContact: links.size > 0 ? this.#options.wallClock() : presence.lastContact,
    };
  }

  /** Takes an edge's link that has been admitted. Links of an older instance are told that they are superseded. */
  add(edge: string, epoch: number, hello: EdgeHello, link: Link): void {
    let presence = this.#edges.get(edge);
    if (presence !== undefined && presence.epoch > epoch) {
      link.close(supersededError());
      return;
    }
    if (presence === undefined || presence.hello.instance !== hello.instance) {
      const superseded = presence === undefined ? [] : [...presence.links.keys()];
      presence = { hello, epoch, links: new Map(), active: undefined, turn: 0, lastContact: this.#options.wallClock() };
      this.#edges.set(edge, presence);
      for (const old of superseded) old.close(supersededError());
    }
    presence.links.set(link, this.#options.wallClock());
    if (presence.active === undefined) this.activate(edge, link);
    else this.#options.onChange?.(edge);
  }

  /** The agent has chosen this link, in its so-manieth choice: what is on its others is moved. */
  activate(edge: string, link: Link, turn?: number): void {
    const presence = this.#edges.get(edge);
    if (presence === undefined || !presence.links.has(link)) return;
    const hasTurned = turn !== undefined && turn > presence.turn;
    if (hasTurned) presence.turn = turn;
    if (presence.active !== link) {
      presence.active = link;
      for (const other of presence.links.keys()) if (other !== link) this.#options.switch.clear(other, 'moved');
    } else if (!hasTurned) return;
    this.#options.onChange?.(edge);
  }

  /** Another replica has the active link: what is on the links here is moved. */
  yield(edge: string): void {
    for (const link of this.#edges.get(edge)?.links.keys() ?? []) this.#options.switch.clear(link, 'moved');
  }

  /** An instance of the edge with this epoch is known: an older one that has links here is told. */
  supersede(edge: string, epoch: number): void {
    const presence = this.#edges.get(edge);
    if (presence === undefined || presence.epoch >= epoch) return;
    for (const link of [...presence.links.keys()]) link.close(supersededError());
  }

  remove(edge: string, link: Link): void {
    const presence = this.#edges.get(edge);
    if (presence === undefined || !presence.links.delete(link)) return;
    presence.lastContact = this.#options.wallClock();
    if (presence.active === link) {
      presence.active = undefined;
      const [next] = [...presence.links.keys()].filter((other) => !other.closed);
      if (next !== undefined) this.activate(edge, next);
    }
    this.#options.onChange?.(edge);
  }

  /** Cuts an edge off: it is not allowed any more. */
  cut(edge: string): void {
    for (const link of this.#edges.get(edge)?.links.keys() ?? [])
      link.close(tunnelError('edge-denied', { retryAfterMs: 30_000 }));
  }

  /** The link that reaches an edge now: the active one. */
  reach(edge: string): EdgeReach | undefined {
    const presence = this.#edges.get(edge);
    const link = presence?.active;
    if (presence === undefined || link === undefined || link.closed) return undefined;
    return { link, epoch: presence.epoch, turn: presence.turn };
  }
}

function supersededError(): CodedError {
  return tunnelError('instance-superseded', { retryAfterMs: 60_000 });
}
