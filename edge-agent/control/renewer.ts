import { parseRenewed, parseTrustAnswer, renewPath, trustPath, type Renewed } from '../../api/index.ts';
import { Backoff, codeOf, type Clock, type Log, type Timer } from '../../base/index.ts';
import { issuerKeyId, lifeOf, makeCertificateRequest, parseTrustBundle, type LiveKeyStore } from '../../certs/index.ts';
import type { LinkBody } from '../../tunnel/index.ts';
import type { ControlClient } from './control-client.ts';
import type { FleetTime } from './fleet-time.ts';
import type { PublicListenerClient } from './public-listener-client.ts';

export interface RenewerOptions {
  readonly keys: LiveKeyStore;
  readonly time: FleetTime;
  readonly control: Pick<ControlClient, 'ask'>;
  readonly publicListener: Pick<PublicListenerClient, 'renew' | 'trust'>;
  /** Public listeners of replicas, `host:port`. */
  readonly publicTargets: () => readonly string[];
  readonly hasLink: () => boolean;
  /** Links with the new certificate are to take the place of the old ones. */
  readonly onRenewed: () => void;
  /** Other roots are trusted now. */
  readonly onTrust: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
}

/** The share of a certificate's life after which it is renewed, and how far edges are spread around it. */
const RENEW_AT = 2 / 3;
const SPREAD = 0.1;
/** The clock may be set, and machines sleep: so often the time is looked at. */
const LOOK_EVERY_MS = 60_000;
/** When all move to another issuer, they do so within this. */
const MOVE_WITHIN_MS = 60_000;
/** So many dials have failed one after the other before the public listener is asked, without another reason. */
const FAILED_DIALS = 6;

/**
 * Keeps the edge's certificate good. It renews over the link, with a new key, at two thirds of the certificate's life, and when the fleet has
 * moved to another issuer. Where the certificate opens no link any more (it has expired, or the roots were rolled meanwhile) it
 * renews at a public listener. A failure is tried again, with growing delays.
 */
export class Renewer {
  readonly #options: RenewerOptions;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  #share: number;
  #timer: Timer | undefined;
  #busy = false;
  #isFetchingTrust = false;
  #closed = false;
  #failedDials = 0;
  /** Not before this, by the monotonic clock: the last try failed. */
  #retryAt = 0;
  /** The issuer that the fleet has moved to, and when it is this edge's turn. */
  #move: { readonly issuer: string; readonly at: number } | undefined;
  /** The machine's clock was behind when this process began, and how long ago its certificate was issued is not known. */
  #isAgeUnknown: boolean;

  constructor(options: RenewerOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ quickTries: 1, baseMs: 1000, maxMs: 5 * 60_000, stableMs: 0, random: this.#random });
    this.#share = this.#nextShare();
    this.#isAgeUnknown = options.time.isBehind(options.keys.leaf);
  }

  start(): void {
    if (this.#isAgeUnknown) this.#options.log.warn('clock-is-behind', { now: new Date().toISOString() });
    this.#plan();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** What a replica says, in WELCOME and later: which roots and which issuer the fleet has now. */
  told(body: LinkBody): void {
    this.#failedDials = 0;
    const { keys, clock } = this.#options;
    const { trust, issuer } = body;
    if (typeof issuer === 'string' && issuer !== issuerKeyId(keys.leaf)) {
      const { issuedAt, notAfter } = lifeOf(keys.leaf);
      const withinMs = Math.min(MOVE_WITHIN_MS, (notAfter - issuedAt) / 10);
      if (this.#move?.issuer !== issuer) this.#move = { issuer, at: clock.now() + this.#random() * withinMs };
    }
    // A serial that is lower is that of a replica that has not heard yet.
    if (typeof trust === 'string' && Number.parseInt(trust, 10) > keys.trust.serial && !this.#isFetchingTrust)
      void this.#fetchTrust();
    this.#plan();
  }

  /** No link came of a dial. */
  dialFailed(): void {
    if (this.#options.hasLink()) return;
    this.#failedDials += 1;
    this.#plan();
  }

  get #dueInMs(): number {
    const { keys, time, clock } = this.#options;
    const { issuedAt, notAfter } = lifeOf(keys.leaf);
    const due = this.#isAgeUnknown ? 0 : issuedAt + (notAfter - issuedAt) * this.#share - time.now;
    const move = this.#move === undefined ? Infinity : this.#move.at - clock.now();
    const lost = this.#failedDials >= FAILED_DIALS ? 0 : Infinity;
    return Math.max(this.#retryAt - clock.now(), Math.min(due, move, lost));
  }

  #plan(): void {
    if (this.#closed || this.#busy) return;
    this.#timer?.cancel();
    const delayMs = Math.min(Math.max(0, this.#dueInMs), LOOK_EVERY_MS);
    this.#timer = this.#options.clock.after(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#closed || this.#busy) return;
    if (this.#dueInMs <= 0) {
      this.#busy = true;
      await this.#renew();
      this.#busy = false;
    }
    this.#plan();
  }

  /** Never throws. */
  async #renew(): Promise<void> {
    const { keys, time, clock, log, hasLink, publicTargets } = this.#options;
    const how = hasLink() ? 'link' : 'public';
    const hasExpired = time.now > lifeOf(keys.leaf).notAfter;
    const isLost = hasExpired || time.isBehind(keys.leaf) || this.#failedDials >= FAILED_DIALS;
    // Without a link there is nothing to do while there may be one soon.
    if (how === 'public' && (!isLost || publicTargets().length === 0)) {
      this.#retryAt = clock.now() + 1000;
      return;
    }
    try {
      if (how === 'link') await this.#overLink();
      else await this.#atPublicListener();
      if (this.#closed) return;
      this.#backoff.lasted(0);
      const { notAfter } = lifeOf(keys.leaf);
      log.info('certificate-renewed', { over: how, notAfter: new Date(notAfter).toISOString() });
      this.#options.onRenewed();
    } catch (error) {
      if (this.#closed) return;
      const { issuedAt, notAfter } = lifeOf(keys.leaf);
      // Several tries have to fit into what is left of a short life.
      const retryMs = Math.min(this.#backoff.next(), Math.max(1000, (notAfter - issuedAt) / 12));
      this.#retryAt = clock.now() + retryMs;
      log.warn('renewal-failed', { over: how, error, retryMs: Math.round(retryMs) });
    }
  }

  async #overLink(): Promise<void> {
    const { control, keys } = this.#options;
    const ask = async (keyPem?: string): Promise<{ renewed: Renewed; keyPem: string }> => {
      const request = await makeCertificateRequest(keyPem);
      const renewed = parseRenewed(await control.ask(renewPath, { csr: request.csrPem }));
      return { renewed, keyPem: request.keyPem };
    };
    await this.#take(await unlessPinned(ask, keys.keyPem));
  }

  async #atPublicListener(): Promise<void> {
    const { publicListener, publicTargets, keys } = this.#options;
    const targets = publicTargets();
    const target = targets[Math.floor(this.#random() * targets.length)] ?? '';
    const ask = (keyPem?: string): ReturnType<PublicListenerClient['renew']> => publicListener.renew(target, keyPem);
    try {
      await this.#take(await unlessPinned(ask, keys.keyPem));
    } catch (error) {
      if (codeOf(error) !== 'link-refused') throw error;
      // Perhaps the roots were rolled while this edge was away.
      if (!(await this.#acceptTrust(await publicListener.trust(target)))) throw error;
      await this.#take(await unlessPinned(ask, keys.keyPem));
    }
  }

  async #take({ renewed, keyPem }: { readonly renewed: Renewed; readonly keyPem: string }): Promise<void> {
    const { keys, time } = this.#options;
    await this.#acceptTrust(renewed.trust);
    await keys.replace({ chainPem: renewed.chain, keyPem });
    time.learn(keys.leaf);
    this.#isAgeUnknown = false;
    this.#failedDials = 0;
    this.#share = this.#nextShare();
    // The issuer is another one now, or what was said of it was wrong: then it is said again.
    this.#move = undefined;
  }

  async #fetchTrust(): Promise<void> {
    this.#isFetchingTrust = true;
    try {
      await this.#acceptTrust(parseTrustAnswer(await this.#options.control.ask(trustPath)));
    } catch (error) {
      // It is said again with the next link, and with the next renewal.
      this.#options.log.warn('trust-refused', { error });
    } finally {
      this.#isFetchingTrust = false;
    }
  }

  /** Whether it was news. Throws `trust-invalid` for what is new and not signed by a root that is trusted here. */
  async #acceptTrust(text: string): Promise<boolean> {
    const { keys, log, onTrust } = this.#options;
    if (parseTrustBundle(text).serial <= keys.trust.serial) return false;
    await keys.acceptTrust(text);
    log.info('trust-updated', { version: keys.trust.version });
    onTrust();
    return true;
  }

  #nextShare(): number {
    return RENEW_AT + (this.#random() - 0.5) * SPREAD;
  }
}

/** Where an operator has pinned the edge's key, that key is kept. */
async function unlessPinned<T>(ask: (keyPem?: string) => Promise<T>, keyPem: string): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (codeOf(error) !== 'key-pinned') throw error;
    return await ask(keyPem);
  }
}
