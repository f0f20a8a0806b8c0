import { Backoff, CodedError, messageOf, type Clock, type Timer } from '../base/index.ts';
import type { Endpoint } from './endpoint.ts';
import { defaultLimits, type TunnelLimits } from './limits.ts';
import { Link, type LinkBody } from './link.ts';
import type { Ticker } from './ticker.ts';
import { tunnelError } from './tunnel-error.ts';
import type { Wire } from './wire.ts';

/** What happened to a link, for the log, the metrics and whoever waits. */
export type UplinkEvent =
  | { readonly kind: 'opened'; readonly link: Link; readonly target: string; readonly welcome: LinkBody }
  | { readonly kind: 'active'; readonly link: Link; readonly target: string }
  | { readonly kind: 'closed'; readonly link: Link; readonly target: string; readonly reason: CodedError }
  | { readonly kind: 'failed'; readonly target: string; readonly reason: CodedError; readonly retryMs: number };

export interface UplinkOptions {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly endpoint: Endpoint;
  /** Where to dial; asked anew for each try, so that the list may change. */
  readonly targets: () => readonly string[];
  readonly dial: (target: string) => Promise<Wire>;
  /** What each link says first; which of them is active is said by UPDATE. */
  readonly hello: () => LinkBody;
  /** How many links to keep. Default 2: one carries everything, the other is ready. */
  readonly links?: number;
  readonly onEvent?: (event: UplinkEvent) => void;
  readonly limits?: TunnelLimits;
  readonly random?: () => number;
}

/** While a stream waits for a path, no delay is longer. */
const WAITED_FOR_MS = 5_000;
/** The timer came this late: the machine slept, and every link is older than its peer's patience. */
const SUSPENDED_MS = 10_000;
const DEFAULT_GOAWAY_WINDOW_MS = 5_000;

interface Keeper {
  readonly backoff: Backoff;
  link: Link | undefined;
  target: string;
  openedAt: number;
  /** The next try, where one is set. */
  retry: { readonly timer: Timer; readonly at: number } | undefined;
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
  readonly #leaving = new Map<Link, Timer>();
  #active: Keeper | undefined;
  #closed = false;
  #linkCount = 0;
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

  /** Replaces every link by a new one, each opened before its predecessor goes: no stream notices. */
  renew(): void {
    for (const keeper of this.#keepers) this.#leave(keeper, DEFAULT_GOAWAY_WINDOW_MS);
  }

  close(reason: CodedError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.ticker.remove(this);
    for (const keeper of this.#keepers) {
      keeper.retry?.timer.cancel();
      keeper.link?.close(reason);
    }
    for (const [link, timer] of this.#leaving) {
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
      if (keeper.retry !== undefined && keeper.retry.at - now > WAITED_FOR_MS)
        this.#retry(keeper, WAITED_FOR_MS * this.#random());
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
        },
        onUpdate() {},
        onGoaway: (body) => {
          const windowMs = typeof body['windowMs'] === 'number' ? body['windowMs'] : DEFAULT_GOAWAY_WINDOW_MS;
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
    link.update({ active: true });
    this.#options.onEvent?.({ kind: 'active', link, target: keeper.target });
  }

  /** A successor first, then the old link. */
  #leave(keeper: Keeper, windowMs: number): void {
    const { link } = keeper;
    if (link === undefined) return;
    const timer = this.#options.clock.after(windowMs, () =>
      link.close(tunnelError('link-closed', { detail: 'replaced' })),
    );
    this.#leaving.set(link, timer);
    keeper.link = undefined;
    const wasActive = this.#active === keeper;
    if (wasActive) {
      const other = this.#keepers.find((candidate) => candidate.link?.open === true);
      if (other !== undefined) this.#activate(other);
    }
    this.#retry(keeper, this.#random() * Math.min(1000, windowMs / 4));
  }

  #onClose(keeper: Keeper, link: Link, target: string, reason: CodedError): void {
    this.#options.onEvent?.({ kind: 'closed', link, target, reason });
    this.#leaving.get(link)?.cancel();
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
    const retryMs = Math.max(keeper.backoff.next(waited ? WAITED_FOR_MS : undefined), reason.retryAfterMs ?? 0);
    this.#options.onEvent?.({ kind: 'failed', target, reason, retryMs });
    this.#retry(keeper, retryMs);
  }

  #retry(keeper: Keeper, delayMs: number): void {
    keeper.retry?.timer.cancel();
    const { clock } = this.#options;
    keeper.retry = { timer: clock.after(delayMs, () => this.#dial(keeper)), at: clock.now() + delayMs };
  }

  /** The next target that no other link uses, or the next one where all are used. */
  #chooseTarget(keeper: Keeper): string | undefined {
    const targets = this.#options.targets();
    const used = new Set(this.#keepers.filter((other) => other !== keeper).map((other) => other.target));
    const from = this.#nextTarget++;
    const inTurn = targets.map((_, index) => targets[(from + index) % targets.length] ?? '');
    return inTurn.find((target) => !used.has(target)) ?? inTurn[0];
  }
}

function refused(error: unknown): CodedError {
  return error instanceof CodedError ? error : tunnelError('link-refused', { detail: messageOf(error), cause: error });
}
