import type { Access } from '../resources/index.ts';
import { tunnelError, type OpenFrame, type Port, type Route, type StreamTarget } from '../tunnel/index.ts';
import type { EdgeDirectory } from './edge-directory.ts';
import type { EdgeRegistry } from './edge-registry.ts';
import { codedFailure } from './front/index.ts';
import { requireAccess } from './stream-access.ts';

export interface RouterOptions {
  readonly directory: EdgeDirectory;
  readonly registry: EdgeRegistry;
  /** The replica's own front: the one port that may say who calls, since it has authenticated the caller itself. */
  readonly front: Port;
  readonly accessOf: (principal: string) => Access;
}

/** Decides for every OPEN and RESUME where it goes: who asks, whether he may, and which link reaches the edge. */
export class Router {
  readonly #options: RouterOptions;
  readonly #clients = new Map<Port, string>();

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** From now on what comes in on this port is this principal's. */
  addClient(port: Port, principal: string): void {
    this.#clients.set(port, principal);
  }

  removeClient(port: Port): void {
    this.#clients.delete(port);
  }

  route(frame: OpenFrame, from: Port, wanted: { readonly gone: boolean }): Route | Promise<Route> {
    const { directory, registry } = this.#options;
    const { target } = frame;
    const principal = this.#principalOf(from, target);
    if (principal === undefined) return { refuse: tunnelError('denied', { detail: 'this link may not open streams' }) };
    try {
      if (from !== this.#options.front) this.#requireClientAccess({ ...target, principal });
    } catch (error) {
      return { refuse: codedFailure(error) };
    }
    const admission = directory.admission(target.edge);
    if (admission === 'allowed') return registry.route(target.edge, principal, wanted);
    return { refuse: tunnelError(admission === 'unknown' ? 'edge-unknown' : 'edge-denied', { detail: target.edge }) };
  }

  /** Who opens a stream; undefined for links that may open none. */
  #principalOf(from: Port, target: StreamTarget): string | undefined {
    return from === this.#options.front ? target.principal : this.#clients.get(from);
  }

  /** What clients' links may open: requests and connections, by policy; anything else is between replica and agent. */
  #requireClientAccess(target: StreamTarget): void {
    if (target.kind !== 'http' && target.kind !== 'tcp') throw tunnelError('denied', { detail: `kind ${target.kind}` });
    requireAccess(this.#options.accessOf(target.principal), target);
  }
}
