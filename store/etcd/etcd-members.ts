import type { Clock } from '../../base/index.ts';
import { storeError } from '../store-error.ts';
import { EtcdConnection, type EtcdTls } from './etcd-connection.ts';
import { EtcdFailure } from './etcd-failure.ts';
import type { EtcdProtocol, Method } from './etcd-protocol.ts';

/** Every call has its answer or its error within this: who waits for a decision is not to wait for long. */
const callMs = 1_800;
/** Calls at once, the others wait: more would only be slow together, and be taken for silence. */
const maxCalls = 64;
/** Between rounds, when each member has failed a call. */
const pauseMs = 50;
const retryAfterMs = 1_000;

export interface EtcdUser {
  readonly name: string;
  /** Read for each token, so that it may be replaced. */
  readonly password: () => string;
}

export interface EtcdMembersOptions {
  readonly protocol: EtcdProtocol;
  /** `http://host:port` or `https://host:port`; the first that answers is used. */
  readonly endpoints: readonly string[];
  /** Read for each connection, so that certificates may be replaced. */
  readonly tls: () => EtcdTls;
  readonly user: EtcdUser | undefined;
  readonly clock: Clock;
}

export interface CallOptions {
  /** The end of the call, by the clock. Default: `deadline()`. */
  readonly until?: number;
  /**
   * What it means to do it twice. `none` (the default): nothing. `safe`: nothing either, but who gets no answer has to know
   * that it may have been done. `once`: it must not be, so a member's silence is the end.
   */
  readonly effect?: 'none' | 'safe' | 'once';
  /** The method is a stream that answers each message. */
  readonly isExchange?: boolean;
}

export interface CallResult<Response> {
  readonly response: Response;
  /** An earlier try had no answer: it may have been done then, or may be done still. */
  readonly doubtful: boolean;
}

/** The members of a cluster as one: calls go to one member until it fails one, then to the next, over a new connection. */
export class EtcdMembers {
  readonly #options: EtcdMembersOptions;
  readonly #clock: Clock;
  readonly #attemptMs: number;
  #connection: EtcdConnection;
  #tls: EtcdTls;
  #index = 0;
  #token: Promise<string | undefined> | undefined;
  #underWay = 0;
  readonly #queue: (() => void)[] = [];
  #closed = false;

  /** Throws what is wrong with the certificates. */
  constructor(options: EtcdMembersOptions) {
    this.#options = options;
    this.#clock = options.clock;
    // With one endpoint too there is a second try: the connection may be what is broken.
    this.#attemptMs = callMs / Math.min(3, options.endpoints.length + 1);
    this.#tls = options.tls();
    this.#connection = this.#connect();
  }

  /** The member that calls go to at the moment. */
  get connection(): EtcdConnection {
    return this.#connection;
  }

  /** The end of a call that begins now. */
  deadline(): number {
    return this.#clock.now() + callMs;
  }

  /**
   * Asks until a member answers. Throws what etcd says; `store-unavailable` when nothing was done in time,
   * `store-outcome-unknown` when it may have been; `store-closed`.
   */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { until = this.deadline(), ...options }: CallOptions = {},
  ): Promise<CallResult<Response>> {
    // Leases do not wait behind what a storm of agents writes.
    if (options.isExchange === true) return this.#try(method, request, until, options);
    await this.#enter(until);
    try {
      return await this.#try(method, request, until, options);
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#underWay--;
      else next();
    }
  }

  /**
   * The token for calls, made when there is none; undefined without users. It is of the whole cluster. Throws as `request` does,
   * `store-refused` for a wrong password.
   */
  async token(connection: EtcdConnection, timeoutMs = this.#attemptMs): Promise<string | undefined> {
    const { user } = this.#options;
    if (user === undefined) return undefined;
    const token = (this.#token ??= this.#authenticate(connection, user, timeoutMs));
    try {
      return await token;
    } catch (error) {
      if (this.#token === token) this.#token = undefined;
      throw error;
    }
  }

  /** A member has failed: the next one's turn, or, for its token, a new token's. Throws `store-refused` where there is no user. */
  failed(connection: EtcdConnection, failure: EtcdFailure): void {
    if (failure.type === 'token') {
      if (this.#options.user === undefined) throw storeError('store-refused', failure.message);
      this.#token = undefined;
      return;
    }
    // Of many calls that fail together the first one moves on.
    if (this.#closed || this.#connection !== connection) return;
    connection.close();
    this.#index = (this.#index + 1) % this.#options.endpoints.length;
    this.#connection = this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#connection.destroy();
  }

  async #try<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    until: number,
    { effect = 'none', isExchange = false }: CallOptions,
  ): Promise<CallResult<Response>> {
    let doubtful = false;
    let last: unknown;
    for (let failures = 1; ; failures++) {
      if (this.#closed) throw storeError('store-closed');
      const timeoutMs = Math.min(this.#attemptMs, until - this.#clock.now());
      if (timeoutMs <= 0 || (doubtful && effect === 'once')) throw this.#gaveUp(doubtful && effect !== 'none', last);
      const connection = this.#connection;
      let isSent = false;
      try {
        const token = await this.token(connection, timeoutMs);
        isSent = true;
        const options = { timeoutMs, token };
        const response = await (isExchange
          ? connection.exchange(method, request, options)
          : connection.request(method, request, options));
        return { response, doubtful };
      } catch (error) {
        if (!(error instanceof EtcdFailure)) throw error;
        last = error;
        doubtful ||= isSent && error.type === 'silent';
        this.failed(connection, error);
      }
      if (failures % this.#options.endpoints.length === 0) await this.#pause();
    }
  }

  #connect(): EtcdConnection {
    const endpoint = this.#options.endpoints[this.#index] ?? '';
    try {
      const tls = this.#options.tls();
      const connection = new EtcdConnection(endpoint, tls);
      this.#tls = tls;
      return connection;
    } catch {
      // Files that are being replaced do not fit each other for a moment.
      return new EtcdConnection(endpoint, this.#tls);
    }
  }

  async #authenticate(connection: EtcdConnection, user: EtcdUser, timeoutMs: number): Promise<string | undefined> {
    const request = { name: user.name, password: user.password() };
    try {
      const { token } = await connection.request(this.#options.protocol.authenticate, request, {
        timeoutMs,
        token: undefined,
      });
      return token;
    } catch (error) {
      // The user is to come; then etcd asks for the token by refusing calls without one.
      if (error instanceof EtcdFailure && error.type === 'auth-off') return undefined;
      throw error;
    }
  }

  #gaveUp(mayBeDone: boolean, cause: unknown): Error {
    return storeError(mayBeDone ? 'store-outcome-unknown' : 'store-unavailable', undefined, cause, retryAfterMs);
  }

  /** Takes one of the places; throws `store-unavailable` when none gets free in time. */
  #enter(until: number): Promise<void> {
    if (this.#underWay < maxCalls) {
      this.#underWay++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        timer.cancel();
        resolve();
      };
      const timer = this.#clock.after(until - this.#clock.now(), () => {
        this.#queue.splice(this.#queue.indexOf(enter), 1);
        reject(this.#gaveUp(false, new Error(`${maxCalls} calls were before this one`)));
      });
      this.#queue.push(enter);
    });
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(pauseMs, resolve));
  }
}
