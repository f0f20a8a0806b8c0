import type { IncomingMessage, ServerResponse } from 'node:http';
import { emergencyDenyPath, parseEmergencyRequest, type EmergencyAnswer } from '../../api/index.ts';
import { parseJsonBody, readBody, resourceError, type Access } from '../../resources/index.ts';
import type { Audit } from '../audit/index.ts';
import { answerJson } from '../health.ts';
import type { EmergencyDenials } from './emergency-denials.ts';

export interface EmergencyApiOptions {
  readonly denials: EmergencyDenials;
  /** `site/name` of this replica. */
  readonly replica: string;
  readonly audit: Audit;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly wallClock?: () => number;
}

const MAX_BODY_BYTES = 8 * 1024;
const BODY_MS = 5000;

/**
 * `/v1/emergency-deny`: keeps an edge out of this replica, or lifts that, without asking the store or anybody else. Policy knows it
 * as the resource `emergencydenials` of `causeway.io`: `create` denies, `delete` lifts, `list` shows.
 */
export class EmergencyApi {
  readonly #options: EmergencyApiOptions;

  constructor(options: EmergencyApiOptions) {
    this.#options = options;
  }

  /** False, with nothing done, for other paths. Throws, or rejects with, `access-denied`, `verb-unsupported` and what is wrong with the body. */
  answer(request: IncomingMessage, response: ServerResponse, path: string, access: Access): boolean | Promise<boolean> {
    if (path !== emergencyDenyPath) return false;
    if (request.method === 'POST') return this.#post(request, response, access);
    if (request.method !== 'GET') throw resourceError('verb-unsupported', { detail: `${request.method} ${path}` });
    this.#require(access, 'list');
    return answerJson(response, 200, { replica: this.#options.replica, denied: this.#options.denials.all });
  }

  async #post(request: IncomingMessage, response: ServerResponse, access: Access): Promise<boolean> {
    // Before the body is read: who may not is not listened to.
    this.#require(access, 'create');
    const body = await readBody(request, { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_MS });
    const { edge, reason, lift } = parseEmergencyRequest(parseJsonBody(body));
    if (lift) this.#require(access, 'delete');
    const { denials, replica, wallClock = Date.now } = this.#options;
    const { principal } = access;
    const wasDenied = denials.denies(edge);
    const since = new Date(wallClock()).toISOString();
    const kept = lift ? denials.lift(edge) : denials.deny({ edge, by: principal, reason, since });
    this.#options.audit.record({
      action: lift ? 'emergency-lift' : 'emergency-deny',
      outcome: 'done',
      principal,
      edge,
      reason,
    });
    const answer: EmergencyAnswer = {
      edge,
      replica,
      denied: !lift,
      changed: lift === wasDenied,
      kept: (await kept) ?? true,
    };
    return answerJson(response, 200, answer);
  }

  #require(access: Access, verb: string): void {
    const asked = {
      edge: '',
      group: 'causeway.io',
      resource: 'emergencydenials',
      subresource: '',
      namespace: '',
      name: '',
    };
    if (!access.allows({ ...asked, verb }))
      throw resourceError('access-denied', { detail: `${access.principal} may not ${verb} emergency denials` });
  }
}
