import type { Clock, CodedError } from '../base/index.ts';
import { tunnelError, type Link, type Route, type Switch } from '../tunnel/index.ts';

/** What an agent said of itself in its HELLO. */
export interface EdgeHello {
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
  lastContact: number;
}

interface Waiter {
  readonly wanted: { readonly gone: boolean };
  readonly resolve: (found: Link | CodedError) => void;
}

export interface EdgeRegistryOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly switch: Switch;
  /** How long a new stream waits for an edge without a link. */
  readonly holdMs: number;
  readonly onChange?: (edge: string) => void;
}

/**
 * Which links reach which edge from this replica. The active link carries everything; when it goes, whatever other link
 * there is takes over at once, and who finds none waits a while for one.
 */
export class EdgeRegistry {
  readonly #options: EdgeRegistryOptions;
  readonly #edges = new Map<string, Presence>();
  readonly #waiting = new Map<string, Set<Waiter>>();

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
      presence = { hello, epoch, links: new Map(), active: undefined, lastContact: this.#options.wallClock() };
      this.#edges.set(edge, presence);
      for (const old of superseded) old.close(supersededError());
    }
    presence.links.set(link, this.#options.wallClock());
    if (presence.active === undefined) this.activate(edge, link);
    else this.#options.onChange?.(edge);
  }

  /** The agent has chosen this link: what is on its others is moved. */
  activate(edge: string, link: Link): void {
    const presence = this.#edges.get(edge);
    if (presence === undefined || !presence.links.has(link) || presence.active === link) return;
    presence.active = link;
    for (const other of presence.links.keys()) if (other !== link) this.#options.switch.clear(other, 'moved');
    this.#wake(edge, link);
    this.#options.onChange?.(edge);
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
    const presence = this.#edges.get(edge);
    for (const link of presence?.links.keys() ?? []) link.close(tunnelError('edge-denied', { retryAfterMs: 30_000 }));
    for (const waiter of [...(this.#waiting.get(edge) ?? [])])
      waiter.resolve(tunnelError('edge-denied', { detail: edge }));
  }

  /** The link that reaches an edge, now or as soon as there is one. */
  route(edge: string, principal: string, wanted: { readonly gone: boolean }): Route | Promise<Route> {
    const active = this.#edges.get(edge)?.active;
    if (active !== undefined && !active.closed) return { port: active, principal };
    return this.#wait(edge, wanted).then((found): Route =>
      'code' in found ? { refuse: found } : { port: found, principal },
    );
  }

  /** Nobody waits any more. */
  close(): void {
    for (const [edge, waiters] of [...this.#waiting])
      for (const waiter of [...waiters]) waiter.resolve(tunnelError('not-opened', { detail: edge }));
  }

  #wait(edge: string, wanted: { readonly gone: boolean }): Promise<Link | CodedError> {
    return new Promise((resolve) => {
      const waiters = this.#waiting.get(edge) ?? new Set();
      this.#waiting.set(edge, waiters);
      const waiter: Waiter = {
        wanted,
        resolve: (found) => {
          timer.cancel();
          waiters.delete(waiter);
          if (waiters.size === 0 && this.#waiting.get(edge) === waiters) this.#waiting.delete(edge);
          resolve(found);
        },
      };
      const notOpened = tunnelError('not-opened', { detail: edge, retryAfterMs: 1000 });
      const timer = this.#options.clock.after(this.#options.holdMs, () => waiter.resolve(notOpened));
      waiters.add(waiter);
    });
  }

  #wake(edge: string, link: Link): void {
    for (const waiter of [...(this.#waiting.get(edge) ?? [])]) waiter.resolve(link);
  }
}

function supersededError(): CodedError {
  return tunnelError('instance-superseded', { retryAfterMs: 60_000 });
}
