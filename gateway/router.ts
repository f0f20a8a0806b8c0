import type { CodedError } from '../base/index.ts';
import type { Access } from '../resources/index.ts';
import {
  FrameType,
  Link,
  tunnelError,
  type OpenFrame,
  type Passage,
  type Port,
  type Route,
  type StreamTarget,
} from '../tunnel/index.ts';
import type { PassageAudit } from './audit/index.ts';
import type { EdgeDirectory } from './edge-directory.ts';
import type { EdgeLocator } from './edge-locator.ts';
import { codedFailure } from './front/index.ts';
import type { Peer } from './peer.ts';
import type { Revocations } from './revocation/index.ts';
import { checkTarget, requireAccess } from './stream-access.ts';

export interface RouterOptions {
  readonly directory: EdgeDirectory;
  readonly locator: EdgeLocator;
  /** This replica's own link to an edge. */
  readonly ownLink: (edge: string) => Port | undefined;
  /** The replica's own front: the one port that may say who calls, since it has authenticated the caller itself. */
  readonly front: Port;
  readonly accessOf: (principal: string) => Access;
  readonly revocations: Pick<Revocations, 'refusal' | 'nameRefusal'>;
  /** Told what clients' links may open and may not, and how it ended. */
  readonly audit?: Pick<PassageAudit, 'allowed' | 'refused' | 'ended'>;
}

/** Decides for every OPEN and RESUME where it goes: who asks, whether he may, and which link reaches the edge. */
export class Router {
  readonly #options: RouterOptions;
  readonly #clients = new Map<Port, Peer>();
  readonly #edges = new Map<Port, Peer>();
  readonly #replicas = new Set<Port>();
  /** Also those that are gone: streams end after their link, and theirs are not a client's. */
  readonly #everReplicas = new WeakSet<Port>();
  #notHere = 0;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Streams that other replicas have sent here for edges without a link here, since the start. */
  get notHere(): number {
    return this.#notHere;
  }

  /** From now on what comes in on this port is this peer's. */
  addClient(port: Port, peer: Peer): void {
    this.#clients.set(port, peer);
  }

  removeClient(port: Port): void {
    this.#clients.delete(port);
  }

  /** From now on this edge may ask this replica itself, over streams of kind `control`; it may open no other. */
  addEdge(port: Port, peer: Peer): void {
    this.#edges.set(port, peer);
  }

  removeEdge(port: Port): void {
    this.#edges.delete(port);
  }

  /** From now on what comes in on this port was let through by another replica, whose word on the principal counts. */
  addReplica(port: Port): void {
    this.#replicas.add(port);
    this.#everReplicas.add(port);
  }

  removeReplica(port: Port): void {
    this.#replicas.delete(port);
  }

  route(frame: OpenFrame, from: Port, wanted: { readonly gone: boolean }): Route | Promise<Route> {
    const { locator, front } = this.#options;
    const { target } = frame;
    const edge = this.#edges.get(from);
    if (edge !== undefined) return this.#controlRoute(target, edge);
    if (this.#replicas.has(from)) return this.#forwardedRoute(target);
    // What the front opens it has asked about itself.
    const isAsked = from === front && frame.type === FrameType.OPEN;
    const principal = from === front ? target.principal : (this.#clients.get(from)?.principal ?? '');
    const asked = { ...target, principal };
    const refused = this.#refusalOf(asked, from, isAsked);
    if (from !== front) this.#tell(asked, from, frame, refused);
    if (refused !== undefined) return { refuse: refused };
    const found = locator.route(target.edge, principal, wanted);
    if (!(found instanceof Promise)) return found;
    return found.then((route) => {
      // While it waited for a link, what it may do can have changed.
      const late = this.#refusalOf(asked, from, false);
      if (late === undefined) return route;
      if (from !== front) this.#tell(asked, from, frame, late);
      return { refuse: late };
    });
  }

  /** A stream passes here no more. What the front opens is the audit's as the request that it is. */
  passed(passage: Passage): void {
    const { front, audit } = this.#options;
    const { from, target } = passage;
    if (from !== front && !this.#everReplicas.has(from) && isClientKind(target)) audit?.ended(passage, remoteOf(from));
  }

  #tell(target: StreamTarget, from: Port, { type }: OpenFrame, refused: CodedError | undefined): void {
    const { audit } = this.#options;
    if (refused !== undefined) audit?.refused(target, remoteOf(from), refused);
    // A stream that goes on has been told of.
    else if (type === FrameType.OPEN) audit?.allowed(target, remoteOf(from));
  }

  #controlRoute(target: StreamTarget, { identity, principal, keyPin, serial }: Peer): Route {
    const { directory, front, revocations } = this.#options;
    if (target.kind !== 'control' || identity.kind !== 'edge' || target.edge !== identity.id)
      return { refuse: tunnelError('denied', { detail: 'an edge may open control streams only' }) };
    const revoked = revocations.refusal(identity, { keyPin, serial });
    if (revoked !== undefined) return { refuse: revoked };
    if (directory.admission(identity.id) === 'allowed') return { port: front, principal };
    return { refuse: tunnelError('edge-denied', { detail: identity.id }) };
  }

  /** The other replica has asked the policy; from here it goes over an own link or nowhere, so that nothing runs in circles. */
  #forwardedRoute({ edge, principal }: StreamTarget): Route {
    const refused = this.#options.revocations.nameRefusal(principal) ?? this.#admissionRefusal(edge);
    if (refused !== undefined) return { refuse: refused };
    const port = this.#options.ownLink(edge);
    if (port !== undefined) return { port, principal };
    this.#notHere++;
    return { refuse: tunnelError('not-here', { detail: edge }) };
  }

  #refusalOf(target: StreamTarget, from: Port, isAsked: boolean): CodedError | undefined {
    const { front, revocations } = this.#options;
    const client = this.#clients.get(from);
    if (from !== front && client === undefined)
      return tunnelError('denied', { detail: 'this link may not open streams' });
    const revoked =
      client === undefined ? revocations.nameRefusal(target.principal) : revocations.refusal(client.identity, client);
    if (revoked !== undefined) return revoked;
    try {
      if (from !== front) this.#requireClientAccess(target);
      else if (!isAsked) this.#requireFrontAccess(target);
    } catch (error) {
      return deniedOf(error);
    }
    return this.#admissionRefusal(target.edge);
  }

  #admissionRefusal(edge: string): CodedError | undefined {
    const admission = this.#options.directory.admission(edge);
    if (admission === 'allowed') return undefined;
    return tunnelError(admission === 'unknown' ? 'edge-unknown' : 'edge-denied', { detail: edge });
  }

  /** The front's own streams to an edge, those of feeds, are nobody's. */
  #requireFrontAccess(target: StreamTarget): void {
    if (isClientKind(target)) requireAccess(this.#options.accessOf(target.principal), target);
  }

  /** What clients' links may open: requests and connections, by policy; anything else is between replica and agent. */
  #requireClientAccess(target: StreamTarget): void {
    if (!isClientKind(target)) throw tunnelError('denied', { detail: `kind ${target.kind}` });
    checkTarget(target);
    requireAccess(this.#options.accessOf(target.principal), target);
  }
}

function remoteOf(port: Port): string | undefined {
  return port instanceof Link ? port.remote : undefined;
}

/** What callers open, and policy is about. */
function isClientKind({ kind }: StreamTarget): boolean {
  return kind === 'http' || kind === 'tcp';
}

/** The tunnel has its own word for what no policy allows. */
function deniedOf(error: unknown): CodedError {
  const failure = codedFailure(error);
  return failure.code === 'access-denied' ? tunnelError('denied', { detail: failure.message }) : failure;
}

/**
 * Why a stream that passes through may not go on, by the policies as they are now; undefined when it may. For `Switch.revoke`.
 */
export function passingRefusal(accessOf: (principal: string) => Access, target: StreamTarget): CodedError | undefined {
  if (!isClientKind(target)) return undefined;
  try {
    requireAccess(accessOf(target.principal), target);
    return undefined;
  } catch (error) {
    return deniedOf(error);
  }
}
