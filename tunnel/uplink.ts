import { Backoff, CodedError, messageOf, type Clock, type Timer } from '../base/index.ts';
import { defaultLimits, type TunnelLimits } from './limits.ts';
import { Link, type LinkBody } from './link.ts';
import type { PortUser } from './port.ts';
import type { Ticker } from './ticker.ts';
import { tunnelError } from './tunnel-error.ts';
import type { Wire } from './wire.ts';

/** What happened to a link, for the log, the metrics and whoever waits. */
export type UplinkEvent =
  | { readonly kind: 'opened'; readonly link: Link; readonly target: string; readonly welcome: LinkBody }
  | { readonly kind: 'active'; readonly link: Link; readonly target: string }
  | {
      readonly kind: 'closed';
      readonly link: Link;
      readonly target: string;
      readonly reason: CodedError;
      /** It was being left for another one: nothing is wrong. */
      readonly isReplaced: boolean;
    }
  | { readonly kind: 'failed'; readonly target: string; readonly reason: CodedError; readonly retryMs: number };

/** Who takes the streams of the links: an endpoint, or a switch that passes them on. */
export interface UplinkStreams {
  attach(link: Link, preferred: boolean): PortUser;
  /** From now on this link carries what is opened and resumed. */
  prefer(link: Link): void;
  /** Streams that wait for a path: while there are some, links are dialed sooner. */
  readonly detachedStreams: number;
}

/** Where a link can be dialed. */
export interface LinkTarget {
  /** `host:port`. */
  readonly address: string;
  /** The data center; links are kept in different ones where there are several. */
  readonly site?: string | undefined;
}

export interface UplinkOptions {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly endpoint: UplinkStreams;
  /** Where to dial; asked anew for each try, so that the list may change. */
  readonly targets: () => readonly LinkTarget[];
  readonly dial: (target: string) => Promise<Wire>;
  /** What each link says first; which of them is active is said by UPDATE. */
  readonly hello: () => LinkBody;
  /** How many links to keep. Default 2: one carries everything, the other is ready. */
  readonly links?: number;
  readonly onEvent?: (event: UplinkEvent) => void;
  /** Told what a replica says on a link that is open. */
  readonly onUpdate?: (body: LinkBody) => void;
  readonly limits?: TunnelLimits;
  readonly random?: () => number;
}

/** While a stream waits for a path, no delay is longer. */
const WAITED_FOR_MS = 5_000;
/** The timer came this late: the machine slept, and every link is older than its peer's patience. */
const SUSPENDED_MS = 10_000;
const DEFAULT_GOAWAY_WINDOW_MS = 5_000;
/** A link that is replaced for its own sake can wait for its successor. */
const RENEW_WINDOW_MS = 60_000;
/** So long a link lives on beside its successor. */
const SUCCEEDED_MS = 250;
const HURRY_MS = 500;
/** A link that only stands by is dialed again within this: when a replica goes, the streams of all its links move first. */
const STANDBY_MS = 2_000;
/** Who asked to be left restarts, most likely. */
const SHUNNED_MS = 15_000;

interface Keeper {
  readonly backoff: Backoff;
  link: Link | undefined;
  target: string;
  openedAt: number;
  /** The next try, where one is set. */
  retry: { readonly timer: Timer; readonly at: number } | undefined;
  /** The peer has asked not to be dialed before this. */
  notBefore: number;
}

/**
 * Keeps links open: dials, waits, dials again, each to another target where there are several. One link is active and
 * carries every stream; when it closes, or its peer asks to leave, another one that is open already takes over.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #limits: TunnelLimits;
  readonly #keepers: Keeper[] = [];
  /** Links that are being left: they go when their streams are gone, or their time is over. */
  readonly #leaving = new Map<Link, { readonly timer: Timer; readonly by: Keeper }>();
  /** Whose links are still to be replaced, and whose is being replaced now. */
  #renewing: Keeper[] = [];
  #replaced: Keeper | undefined;
  #active: Keeper | undefined;
  /** Targets that asked to be left, until when others are tried first. */
  readonly #shunned = new Map<string, number>();
  #closed = false;
  #linkCount = 0;
  /** How often a link was made the active one. */
  #turn = 0;
  #nextTarget: number;
  readonly #random: () => number;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
    this.#random = options.random ?? Math.random;
    this.#nextTarget = Math.floor(this.#random() * 1000);
    for (let index = 0; index < (options.links ?? 2); index++) {
      this.#keepers.push({
        backoff: new Backoff({ random: this.#random }),
        link: undefined,
        target: '',
        openedAt: 0,
        retry: undefined,
        notBefore: 0,
      });
    }
  }

  start(): void {
    this.#options.ticker.add(this);
    for (const keeper of this.#keepers) this.#dial(keeper);
  }

  /** Links that are open now. */
  get links(): { readonly link: Link; readonly target: string; readonly active: boolean; readonly openedAt: number }[] {
    return this.#keepers.flatMap((keeper) =>
      keeper.link?.open === true
        ? [{ link: keeper.link, target: keeper.target, active: keeper === this.#active, openedAt: keeper.openedAt }]
        : [],
    );
  }

  get activeLink(): Link | undefined {
    return this.#active?.link;
  }

  /**
   * Replaces every link by a new one, one after the other, each opened before its predecessor goes: no stream notices. The active
   * one is the last, so that its streams move once, to a link that is new. Links that are away are dialed soon.
   */
  renew(): void {
    if (this.#closed) return;
    this.hurry();
    const open = this.#keepers.filter(({ link }) => link?.open === true);
    this.#renewing = open.toSorted((one, other) => Number(one === this.#active) - Number(other === this.#active));
    if (this.#replaced === undefined) this.#renewNext();
  }

  /** The targets have changed: a link that is ready and carries nothing moves, where that brings it apart from the others. */
  spread(): void {
    for (const keeper of this.#keepers) {
      if (keeper === this.#active || keeper.link?.open !== true) continue;
      const best = Math.min(...this.#options.targets().map((target) => this.#crowding(keeper, target)));
      if (best >= this.#crowding(keeper, this.#targetOf(keeper))) continue;
      this.#leave(keeper, RENEW_WINDOW_MS);
      return;
    }
  }

  /** Dials links that are away soon, however long they were to wait. */
  hurry(): void {
    for (const keeper of this.#keepers) {
      if (keeper.retry !== undefined) this.#retry(keeper, this.#random() * HURRY_MS);
    }
  }

  close(reason: CodedError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.ticker.remove(this);
    for (const keeper of this.#keepers) {
      keeper.retry?.timer.cancel();
      keeper.link?.close(reason);
    }
    this.#renewing = [];
    for (const [link, { timer }] of this.#leaving) {
      timer.cancel();
      link.close(reason);
    }
  }

  /** For the ticker. */
  tick(now: number, lagMs: number): void {
    if (lagMs > SUSPENDED_MS) {
      for (const keeper of this.#keepers)
        keeper.link?.close(tunnelError('link-closed', { detail: 'the machine was suspended' }));
    }
    // A stream came to wait while a long delay was running: it need not last.
    if (this.#options.endpoint.detachedStreams === 0) return;
    for (const keeper of this.#keepers) {
      if (keeper.retry !== undefined && keeper.retry.at - Math.max(now, keeper.notBefore) > WAITED_FOR_MS)
        this.#retry(keeper, Math.max(keeper.notBefore - now, 0) + WAITED_FOR_MS * this.#random());
    }
  }

  #dial(keeper: Keeper): void {
    keeper.retry = undefined;
    if (this.#closed) return;
    const target = this.#chooseTarget(keeper);
    if (target === undefined) {
      this.#failed(keeper, '', tunnelError('link-refused', { detail: 'no replica is configured' }));
      return;
    }
    keeper.target = target;
    this.#options.dial(target).then(
      (wire) => this.#connect(keeper, target, wire),
      (error: unknown) => this.#failed(keeper, target, refused(error)),
    );
  }

  #connect(keeper: Keeper, target: string, wire: Wire): void {
    if (this.#closed) {
      wire.destroy();
      return;
    }
    const { clock, ticker, endpoint, onEvent } = this.#options;
    const link: Link = new Link({
      id: `link-${++this.#linkCount}`,
      wire,
      role: 'dialer',
      clock,
      ticker,
      limits: this.#limits,
      hello: this.#options.hello(),
      user: {
        onHello() {},
        onOpen: (welcome) => {
          keeper.openedAt = clock.now();
          link.streams = endpoint.attach(link, false);
          onEvent?.({ kind: 'opened', link, target, welcome });
          if (this.#active === undefined || this.#active === keeper) this.#activate(keeper);
          this.#succeeded(keeper);
        },
        onUpdate: (body) => this.#options.onUpdate?.(body),
        onGoaway: (body) => {
          const windowMs = typeof body['windowMs'] === 'number' ? body['windowMs'] : DEFAULT_GOAWAY_WINDOW_MS;
          this.#shunned.set(target, clock.now() + SHUNNED_MS);
          if (keeper.link === link) this.#leave(keeper, windowMs);
        },
        onClose: (reason) => this.#onClose(keeper, link, target, reason),
      },
    });
    keeper.link = link;
  }

  #activate(keeper: Keeper): void {
    const { link } = keeper;
    if (link === undefined) return;
    this.#active = keeper;
    this.#options.endpoint.prefer(link);
    link.update({ active: true, turn: ++this.#turn });
    this.#options.onEvent?.({ kind: 'active', link, target: keeper.target });
  }

  #renewNext(): void {
    // Whose link went away meanwhile gets a new one anyway.
    do this.#replaced = this.#renewing.shift();
    while (this.#replaced !== undefined && this.#replaced.link?.open !== true);
    if (this.#replaced !== undefined) this.#leave(this.#replaced, RENEW_WINDOW_MS, 0);
  }

  /** The successor of a link that is being left is there. */
  #succeeded(keeper: Keeper): void {
    for (const [link, { timer, by }] of this.#leaving) {
      if (by !== keeper) continue;
      timer.cancel();
      // What was under way on the old one has a moment to arrive.
      this.#leaveWithin(link, keeper, SUCCEEDED_MS);
    }
    if (this.#replaced !== keeper) return;
    this.#replaced = undefined;
    this.#options.clock.after(SUCCEEDED_MS, () => this.#renewNext());
  }

  #leaveWithin(link: Link, by: Keeper, windowMs: number): void {
    const timer = this.#options.clock.after(windowMs, () =>
      link.close(tunnelError('link-closed', { detail: 'replaced' })),
    );
    this.#leaving.set(link, { timer, by });
  }

  /** A successor first, then the old link. */
  #leave(keeper: Keeper, windowMs: number, dialWithinMs = Math.min(1000, windowMs / 4)): void {
    const { link } = keeper;
    if (link === undefined) return;
    this.#leaveWithin(link, keeper, windowMs);
    keeper.link = undefined;
    const wasActive = this.#active === keeper;
    if (wasActive) {
      const other = this.#keepers.find((candidate) => candidate.link?.open === true);
      if (other !== undefined) this.#activate(other);
    }
    this.#retry(keeper, this.#random() * dialWithinMs);
  }

  #onClose(keeper: Keeper, link: Link, target: string, reason: CodedError): void {
    const isReplaced = this.#leaving.has(link);
    this.#options.onEvent?.({ kind: 'closed', link, target, reason, isReplaced });
    this.#leaving.get(link)?.timer.cancel();
    if (this.#leaving.delete(link)) return;
    keeper.link = undefined;
    if (keeper.openedAt > 0) keeper.backoff.lasted(this.#options.clock.now() - keeper.openedAt);
    if (this.#active === keeper) {
      this.#active = undefined;
      const other = this.#keepers.find((candidate) => candidate.link?.open === true);
      if (other !== undefined) this.#activate(other);
    }
    if (!this.#closed) this.#failed(keeper, target, reason);
  }

  #failed(keeper: Keeper, target: string, reason: CodedError): void {
    if (this.#closed) return;
    const waited = this.#active === undefined && this.#options.endpoint.detachedStreams > 0;
    const standsBy = this.#active?.link?.open === true ? this.#random() * STANDBY_MS : 0;
    const backoffMs = keeper.backoff.next(waited ? WAITED_FOR_MS : undefined);
    const retryMs = Math.max(backoffMs, standsBy, reason.retryAfterMs ?? 0);
    this.#options.onEvent?.({ kind: 'failed', target, reason, retryMs });
    keeper.notBefore = this.#options.clock.now() + (reason.retryAfterMs ?? 0);
    this.#retry(keeper, retryMs);
  }

  #retry(keeper: Keeper, delayMs: number): void {
    keeper.retry?.timer.cancel();
    const { clock } = this.#options;
    keeper.retry = { timer: clock.after(delayMs, () => this.#dial(keeper)), at: clock.now() + delayMs };
  }

  /** The next target that no other link uses, best in a site that none uses, or the next one where all are used. */
  #chooseTarget(keeper: Keeper): string | undefined {
    const targets = this.#options.targets();
    const from = this.#nextTarget++;
    const inTurn = targets.map((target, index) => targets[(from + index) % targets.length] ?? target);
    const cost = (target: LinkTarget): number => this.#crowding(keeper, target) + (this.#isShunned(target) ? 4 : 0);
    const [best] = inTurn.toSorted((one, other) => cost(one) - cost(other));
    return best?.address;
  }

  /** How near a target is to those of the other links: 2 the same, 1 in the same site, 0 apart. */
  #crowding(keeper: Keeper, { address, site }: LinkTarget): number {
    const others = this.#keepers.filter((other) => other !== keeper).map((other) => this.#targetOf(other));
    if (others.some((other) => other.address === address)) return 2;
    return site !== undefined && others.some((other) => other.site === site) ? 1 : 0;
  }

  #isShunned({ address }: LinkTarget): boolean {
    const until = this.#shunned.get(address);
    if (until === undefined) return false;
    if (until > this.#options.clock.now()) return true;
    this.#shunned.delete(address);
    return false;
  }

  #targetOf({ target }: Keeper): LinkTarget {
    return this.#options.targets().find(({ address }) => address === target) ?? { address: target };
  }
}

function refused(error: unknown): CodedError {
  return error instanceof CodedError ? error : tunnelError('link-refused', { detail: messageOf(error), cause: error });
}
