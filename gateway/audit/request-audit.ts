import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { codeOf, messageOf, type Clock, type CodedError } from '../../base/index.ts';
import { parseRequestPath, type AccessAttributes } from '../../resources/index.ts';
import type { StreamTarget } from '../../tunnel/index.ts';
import type { ExchangeOutcome } from '../front/index.ts';
import { remoteOf } from '../peer-address.ts';
import { pathAttributes } from '../stream-access.ts';
import type { Audit } from './audit-event.ts';
import { endOf, isRead, streamFacts, type AccessOf } from './stream-facts.ts';

export interface RequestAuditOptions {
  readonly audit: Audit;
  readonly clock: Clock;
  readonly accessOf: AccessOf;
  /** Who is at the other end of a connection; empty when that is not known. */
  readonly principalAt: (socket: Socket) => string;
}

interface Begun {
  readonly at: number;
  readonly remote: string | undefined;
  readonly principal: string;
  /** Of the object that it makes. */
  name: string;
}

const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
const reads = new Set(['GET', 'HEAD', 'OPTIONS']);
/** A question about who may do what changes nothing. */
const review = /\/apis\/auth(?:orization|entication)\.k8s\.io\//;

/** What the API's callers did and were refused. Reads are recorded only where they are refused. */
export class RequestAudit {
  readonly #options: RequestAuditOptions;
  readonly #begun = new WeakMap<IncomingMessage, Begun>();
  /** Requests that a stream stands for. */
  readonly #streams = new WeakSet<IncomingMessage>();

  constructor(options: RequestAuditOptions) {
    this.#options = options;
  }

  /**
   * A request has come. What no stream stands for is recorded when it has been answered. Without a response the connection was
   * handed over (`upgrade`, `connect`): then whoever is not known is refused.
   */
  begin(request: IncomingMessage, response?: ServerResponse): void {
    const { clock, principalAt } = this.#options;
    const { socket } = request;
    // Both are gone with the connection.
    const [remote, principal] = [remoteOf(socket), principalAt(socket)];
    this.#begun.set(request, { at: clock.now(), remote, principal, name: '' });
    if (response !== undefined) response.once('close', () => this.#answered(request, response));
    else if (principal === '')
      this.#options.audit.record({
        action: 'connect',
        outcome: 'refused',
        principal,
        path: request.url,
        code: 'unauthenticated',
        remote,
      });
  }

  /** A request makes an object of this name. */
  named(request: IncomingMessage, name: string): void {
    const begun = this.#begun.get(request);
    if (begun !== undefined) begun.name = name;
  }

  /** A handshake did not prove anybody. */
  unknown(socket: Socket, error: unknown): void {
    const why = { code: codeOf(error), reason: messageOf(error) };
    this.#options.audit.record({ action: 'api', outcome: 'refused', principal: '', ...why, remote: remoteOf(socket) });
  }

  /** The caller may open this stream. */
  allowed(target: StreamTarget, request: IncomingMessage): void {
    this.#streams.add(request);
    const facts = streamFacts(target, this.#options.accessOf, isUpgrade(request));
    const remote = this.#begun.get(request)?.remote;
    if (facts.lasts) this.#options.audit.record({ ...facts.event, outcome: 'allowed', remote });
  }

  refused(target: StreamTarget, request: IncomingMessage, error: CodedError): void {
    this.#streams.add(request);
    const { event } = streamFacts(target, undefined, isUpgrade(request));
    const remote = this.#begun.get(request)?.remote;
    this.#options.audit.record({ ...event, outcome: 'refused', code: error.code, reason: error.message, remote });
  }

  /** The stream of a request has ended. */
  ended(target: StreamTarget, request: IncomingMessage, outcome: ExchangeOutcome): void {
    const { status, code, requestBytes, responseBytes } = outcome;
    const isRefused = code !== undefined && (status === 401 || status === 403);
    const isSwitched = status === 101;
    if (isRead(target) && !isRefused && !isSwitched) return;
    const begun = this.#begun.get(request);
    const { event } = streamFacts(target, this.#options.accessOf, isSwitched || isUpgrade(request));
    this.#options.audit.record({
      ...event,
      ...endOf(code, isRefused),
      reason: target.kind === 'http' && status > 0 ? `HTTP ${status}` : undefined,
      remote: begun?.remote,
      bytes: requestBytes + responseBytes,
      durationMs: this.#since(begun),
    });
  }

  #answered(request: IncomingMessage, response: ServerResponse): void {
    const { statusCode: status } = response;
    const { method = '', url = '' } = request;
    if (this.#streams.has(request)) return;
    const isRefused = status === 401 || status === 403;
    const [path = ''] = url.split('?', 1);
    if (!isRefused && (reads.has(method) || review.test(path))) return;
    const begun = this.#begun.get(request);
    const principal = begun?.principal ?? '';
    const asked = askedOf(method, path);
    const named =
      asked.name === '' && begun !== undefined && begun.name !== '' ? { ...asked, name: begun.name } : asked;
    const rule = principal === '' ? undefined : this.#options.accessOf(principal).explain?.(asked).rule;
    const isDone = response.writableFinished && status < 400;
    this.#options.audit.record({
      action: asked.verb,
      outcome: isRefused ? 'refused' : isDone ? 'done' : 'failed',
      principal,
      edge: edgeOf(path, named),
      path: named === asked ? path : `${path}/${named.name}`,
      reason: `HTTP ${status}`,
      rule,
      remote: begun?.remote,
      durationMs: this.#since(begun),
    });
  }

  #since(begun: Begun | undefined): number | undefined {
    return begun === undefined ? undefined : this.#options.clock.now() - begun.at;
  }
}

function isUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade !== undefined;
}

/** What a request to a path of the replica's own is about. */
function askedOf(method: string, path: string): AccessAttributes {
  const verb = verbs[method] ?? (reads.has(method) ? 'get' : method.toLowerCase());
  try {
    const parsed = parseRequestPath(path);
    if (parsed?.kind === 'resource') {
      const { group, resource, subresource, namespace, name } = parsed;
      const many = name === '' && verb === 'delete' ? 'deletecollection' : verb;
      const read = name === '' && verb === 'get' ? 'list' : many;
      return { edge: '', verb: read, group, resource, subresource, namespace, name };
    }
  } catch {
    // It was refused as what it is: no path of anything.
  }
  return { ...pathAttributes('', '', path), verb };
}

/** The edge that an object of the fleet stands for, or that a path leads to. */
function edgeOf(path: string, { resource, name }: AccessAttributes): string | undefined {
  if (resource === 'edgenodes' && name !== '') return name;
  return /^\/edges\/([a-z0-9-]{1,63})\//.exec(path)?.[1];
}
