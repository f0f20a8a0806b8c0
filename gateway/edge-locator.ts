import type { Clock, CodedError } from '../base/index.ts';
import { tunnelError, type Port, type Route } from '../tunnel/index.ts';

export interface EdgeLocatorOptions {
  readonly clock: Clock;
  /** How long a new stream waits for an edge that no link reaches. */
  readonly holdMs: number;
  /** The port that reaches an edge now: its own link, or that of the replica that has its active one. */
  readonly find: (edge: string) => Port | undefined;
}

interface Waiter {
  readonly wanted: { readonly gone: boolean };
  readonly resolve: (found: Port | CodedError) => void;
}

/** Finds the port that reaches an edge, and lets who finds none wait a while for one. */
export class EdgeLocator {
  readonly #options: EdgeLocatorOptions;
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(options: EdgeLocatorOptions) {
    this.#options = options;
  }

  /** Streams that wait for their edges. */
  get waiting(): number {
    let waiting = 0;
    for (const waiters of this.#waiting.values()) waiting += waiters.size;
    return waiting;
  }

  /** Where a stream to an edge goes, now or as soon as there is a way. */
  route(edge: string, principal: string, wanted: { readonly gone: boolean }): Route | Promise<Route> {
    const port = this.#options.find(edge);
    if (port !== undefined && !port.closed) return { port, principal };
    return this.#wait(edge, wanted).then((found): Route =>
      'code' in found ? { refuse: found } : { port: found, principal },
    );
  }

  /** There may be a way to this edge now. */
  changed(edge: string): void {
    const waiters = this.#waiting.get(edge);
    const port = waiters === undefined ? undefined : this.#options.find(edge);
    if (port !== undefined) this.#resolve(edge, port);
  }

  /** There may be ways to edges that others hold. */
  changedAll(): void {
    for (const edge of [...this.#waiting.keys()]) this.changed(edge);
  }

  /** Nobody waits for this edge any more. */
  refuse(edge: string, reason: CodedError): void {
    this.#resolve(edge, reason);
  }

  /** Nobody waits any more. */
  close(): void {
    for (const edge of [...this.#waiting.keys()]) this.#resolve(edge, tunnelError('not-opened', { detail: edge }));
  }

  #resolve(edge: string, found: Port | CodedError): void {
    for (const waiter of [...(this.#waiting.get(edge) ?? [])]) waiter.resolve(found);
  }

  #wait(edge: string, wanted: { readonly gone: boolean }): Promise<Port | CodedError> {
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
}
