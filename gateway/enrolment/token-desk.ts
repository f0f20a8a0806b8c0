import type { IncomingMessage, ServerResponse } from 'node:http';
import { apiVersion, tokensPath, type MadeToken } from '../../api/index.ts';
import type { Log } from '../../base/index.ts';
import { hashOfSecret, newJoinToken, parseChain, rootOf, type TlsCredentials } from '../../certs/index.ts';
import { parseJsonBody, readBody, resourceError, type Access, type ResourceApi } from '../../resources/index.ts';
import type { Store } from '../../store/index.ts';
import type { Audit } from '../audit/index.ts';
import { memberOf } from '../fleet/index.ts';
import { enrolmentError } from './enrolment-error.ts';
import { TokenRecords } from './token-records.ts';
import { termsOf } from './token-terms.ts';

const MAX_BODY_BYTES = 16 * 1024;

export interface TokenDeskOptions {
  readonly store: Store;
  /** The JoinToken objects. */
  readonly tokens: ResourceApi;
  readonly credentials: TlsCredentials;
  /** What edges are told to go to; see `MadeToken`. */
  readonly publicListeners: readonly string[];
  readonly publicPort: () => number;
  readonly audit?: Audit;
  readonly log: Log;
}

/**
 * Makes join tokens: `POST /v1/tokens` with `{spec}` of a JoinToken, for whoever may create those. The answer is the only place
 * where the secret ever stands: the object does not have it, and the store beside it keeps a hash. A JoinToken that is made
 * in another way has no secret, and lets nobody in.
 */
export class TokenDesk {
  readonly #options: TokenDeskOptions;
  readonly #records: TokenRecords;
  readonly #stopWatching: () => void;

  constructor(options: TokenDeskOptions) {
    this.#options = options;
    this.#records = new TokenRecords(options.store);
    this.#stopWatching = options.tokens.onGone(({ metadata }) => this.#forget(metadata.name ?? ''));
  }

  /** False when the path is another. Errors: what creating a JoinToken throws, `verb-unsupported`. */
  answer(request: IncomingMessage, response: ServerResponse, path: string, access: Access): boolean | Promise<boolean> {
    if (path !== tokensPath) return false;
    if (request.method !== 'POST')
      throw resourceError('verb-unsupported', { detail: `${request.method}: POST makes a join token` });
    return this.#answer(request, response, access);
  }

  /** Makes a token of these terms, the `spec` of a JoinToken. */
  async create(access: Access, spec: unknown): Promise<MadeToken> {
    const { tokens, credentials, publicListeners, publicPort } = this.#options;
    const root = rootOf(credentials.trust, parseChain(credentials.chainPem).issuer);
    if (root === undefined)
      throw enrolmentError('enrolment-unavailable', { detail: 'no root vouches for this replica' });
    const token = newJoinToken(root);
    const name = `t-${token.id}`;
    const object = { apiVersion, kind: 'JoinToken', metadata: { name }, spec };
    const terms = termsOf((await tokens.create(access, '', object, { fieldValidation: 'Strict' })).object());
    if (terms === undefined) throw enrolmentError('enrolment-unavailable', { detail: `${name} was deleted` });
    try {
      await this.#records.create(token.id, { hash: hashOfSecret(token.secret), uid: terms.uid });
    } catch (error) {
      // Nobody will ever have its secret.
      await tokens.deleteAsOwner('', name).catch(() => undefined);
      throw error;
    }
    const expiresAt = new Date(terms.expiresAt).toISOString();
    return {
      name,
      token: token.text,
      expiresAt,
      root: root.toString(),
      gateways: [...publicListeners],
      publicPort: publicPort(),
    };
  }

  close(): void {
    this.#stopWatching();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, access: Access): Promise<boolean> {
    const body = parseJsonBody(await readBody(request, { maxBytes: MAX_BODY_BYTES }));
    const spec = typeof body === 'object' && body !== null && 'spec' in body ? body.spec : undefined;
    const made = await this.create(access, spec);
    const edge = memberOf(spec, 'edge');
    // Which one it is, and for whom: the path of the request says neither.
    this.#options.audit?.record({
      action: 'token',
      outcome: 'done',
      principal: access.principal,
      edge: typeof edge === 'string' ? edge : undefined,
      path: `jointokens/${made.name}`,
      reason: `until ${made.expiresAt}`,
    });
    const bytes = Buffer.from(JSON.stringify(made));
    response.writeHead(201, {
      'Content-Type': 'application/json',
      'Content-Length': bytes.length,
      'Cache-Control': 'no-store',
    });
    response.end(bytes);
    return true;
  }

  /** What is left of a token would do no harm, since it names its object; it is not needed either. */
  #forget(name: string): void {
    const [, id] = /^t-([0-9a-f]{16})$/u.exec(name) ?? [];
    if (id === undefined) return;
    this.#records.delete(id).catch((error: unknown) => this.#options.log.warn('token-record-left', { name, error }));
  }
}
