import {
  apiVersion,
  parseEdgeNode,
  parseEnrolRequest,
  type EdgeNode,
  type EnrolAnswer,
  type EnrolRequest,
} from '../../api/index.ts';
import { CodedError, codeOf, isDnsLabel, messageOf, type Log } from '../../base/index.ts';
import {
  isSecretOf,
  parseJoinToken,
  keyPinOfKey,
  pinOfRoot,
  readCertificateRequest,
  type JoinToken,
  type TrustBundle,
} from '../../certs/index.ts';
import { fullAccess, type ResourceApi } from '../../resources/index.ts';
import type { Store } from '../../store/index.ts';
import type { Audit, AuditEvent } from '../audit/index.ts';
import type { EdgeIssuer } from '../trust/index.ts';
import { memberOf } from '../fleet/index.ts';
import { enrolmentError } from './enrolment-error.ts';
import { hashOfNothing, isRepeated, TokenRecords, type TokenRecord, type TokenUse } from './token-records.ts';
import { readTerms, type TokenTerms } from './token-terms.ts';

export interface EnrolmentOptions {
  readonly store: Store;
  /** The EdgeNode and the JoinToken objects. */
  readonly nodes: ResourceApi;
  readonly tokens: ResourceApi;
  readonly issuer: Pick<EdgeIssuer, 'keyId' | 'issue'>;
  readonly trust: () => TrustBundle;
  /** Why this edge may not have a certificate for this key, besides the whitelist: revocations. Default: nothing. */
  readonly refusal?: (edge: string, keyPin: string) => CodedError | undefined;
  /** Link listeners that the edge is told of; see `EnrolAnswer`. */
  readonly gateways: readonly string[];
  readonly linkPort: () => number;
  readonly audit: Audit;
  readonly log: Log;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly wallClock?: () => number;
}

/** A token whose secret was shown. */
interface Proven {
  readonly terms: TokenTerms;
  readonly record: TokenRecord;
}

/** As far as an attempt has got: what the audit says of it, whatever comes of it. */
interface Progress {
  token?: string;
  edge?: string;
}

/**
 * Lets edges into the fleet by join tokens: `POST /v1/enrol`. An edge that shows a good token and a request for a certificate gets
 * the certificate, and its EdgeNode is on the whitelist: that is the word of whoever made the token.
 *
 * What a token says counts, nothing in the request's names. A use is taken by compare-and-set before anything is given, and given
 * back when nothing comes of it. Whoever asks hears no reason; the audit and the log do.
 */
export class Enrolment {
  readonly #options: EnrolmentOptions;
  readonly #records: TokenRecords;
  readonly #wallClock: () => number;

  constructor(options: EnrolmentOptions) {
    this.#options = options;
    this.#records = new TokenRecords(options.store);
    this.#wallClock = options.wallClock ?? Date.now;
  }

  /** Throws a code of `enrolmentCodes` with its reason, which is not meant for the wire. */
  async enrol(body: unknown, remote: string): Promise<EnrolAnswer> {
    const progress: Progress = {};
    const tell = (event: Pick<AuditEvent, 'outcome' | 'code' | 'reason'>): void => {
      const { token, edge } = progress;
      const principal = token === undefined ? '' : `token/${token}`;
      this.#options.audit.record({
        ...event,
        action: 'enrol',
        principal,
        remote,
        ...(edge === undefined ? {} : { edge }),
      });
    };
    try {
      const answer = await this.#enrol(parseEnrolRequest(body), progress);
      tell({ outcome: 'allowed' });
      return answer;
    } catch (error) {
      const isRefusal = error instanceof CodedError && error.status < 500;
      tell({ outcome: isRefusal ? 'refused' : 'failed', code: codeOf(error), reason: messageOf(error) });
      throw error;
    }
  }

  async #enrol(request: EnrolRequest, progress: Progress): Promise<EnrolAnswer> {
    const { issuer, trust, gateways, linkPort, log } = this.#options;
    if (issuer.keyId === undefined)
      throw enrolmentError('enrolment-unavailable', { detail: 'this replica has no issuer' });
    const token = parseJoinToken(request.token);
    const proven = await this.#proven(token);
    const { terms } = proven;
    // From here on the asker is known to hold the token.
    progress.token = terms.name;
    const edge = edgeFor(terms, request.edge);
    progress.edge = edge;
    if (this.#wallClock() >= terms.expiresAt)
      throw enrolmentError('token-expired', { detail: `at ${new Date(terms.expiresAt).toISOString()}` });
    const publicKey = await readCertificateRequest(request.csr);
    const keyPin = keyPinOfKey(publicKey);
    const revoked = this.#options.refusal?.(edge, keyPin);
    if (revoked !== undefined) throw revoked;

    await this.#use(token.id, proven, { edge, keyPin, at: this.#wallClock() });
    const leaf = await issuer.issue(edge, publicKey);
    log.info('edge-enrolled', { edge, by: terms.name, keyPin, until: leaf.notAfter });
    return { edge, chain: leaf.chainPem, trust: trust().text, gateways: [...gateways], linkPort: linkPort() };
  }

  /** What a token says, once its secret has been shown. Throws `token-unknown`, for whatever is not right. */
  async #proven({ id, secret, pin }: JoinToken): Promise<Proven> {
    const record = await this.#records.find(id);
    // Compared in any case, so that it takes as long for an id that there is not.
    const isRight = isSecretOf(record?.hash ?? hashOfNothing, secret);
    if (record === undefined || !isRight) throw enrolmentError('token-unknown', { detail: `t-${id}` });
    const terms = await readTerms(this.#options.tokens, id);
    if (terms?.uid !== record.uid) throw enrolmentError('token-unknown', { detail: `t-${id} was deleted` });
    if (!this.#options.trust().roots.some((root) => pinOfRoot(root) === pin))
      throw enrolmentError('token-unknown', { detail: `t-${id} pins a root that this fleet does not have` });
    return { terms, record };
  }

  /**
   * Takes a use of the token, and sees to it that the edge is on the whitelist. An edge that is there already needs a token of its
   * own. One that has just got its certificate by this token, for the same key, may have it again: its answer was lost.
   */
  async #use(id: string, { terms, record }: Proven, use: TokenUse): Promise<void> {
    const node = await this.#node(use.edge);
    if (node !== undefined) {
      requireAdmitted(node, use.keyPin);
      const isOwn = terms.edge !== undefined || isEnrolledBy(node, terms, use);
      if (isOwn && isRepeated(record, use)) return;
      if (terms.edge === undefined) throw enrolmentError('edge-exists', { detail: use.edge });
    }
    const used = await this.#records.take(id, use, terms.uses);
    if (node === undefined) {
      try {
        await this.#admit(terms, use);
      } catch (error) {
        // Nobody has got anything for it: a certificate is issued for an edge only that this token has let in.
        if (codeOf(error) === 'edge-exists') await this.#records.giveBack(id, use);
        throw error;
      }
    }
    this.#showUse(terms, used);
  }

  async #node(edge: string): Promise<EdgeNode | undefined> {
    const held = await this.#options.nodes.collection.get('', edge, { match: 'newest' });
    return held === undefined ? undefined : parseEdgeNode(JSON.parse(held.json.toString('utf8')));
  }

  /** Puts a new edge on the whitelist. */
  async #admit(terms: TokenTerms, use: TokenUse): Promise<void> {
    const { name, edge: only, edgeLabels: labels } = terms;
    const spec = { admission: 'Allowed', ...(labels === undefined ? {} : { labels }) };
    const metadata = { name: use.edge, annotations: { [enrolledBy]: mark(terms, use) } };
    const object = { apiVersion, kind: 'EdgeNode', metadata, spec };
    try {
      await this.#options.nodes.create(fullAccess(`token/${name}`), '', object);
    } catch (error) {
      if (codeOf(error) !== 'object-exists') throw error;
      // Somebody was faster: an operator, or another edge with a token.
      const node = await this.#node(use.edge);
      if (only === undefined || node === undefined)
        throw enrolmentError('edge-exists', { detail: use.edge, cause: error });
      requireAdmitted(node, use.keyPin);
    }
  }

  /** Into the object's status, for people; what counts stands in the record. The edge does not wait for it. */
  #showUse({ name, expiresAt }: TokenTerms, used: number): void {
    const { tokens, log } = this.#options;
    const lastUsed = new Date(this.#wallClock()).toISOString();
    const value = { status: { used, expiresAt: new Date(expiresAt).toISOString(), lastUsed } };
    tokens
      .patch(fullAccess(`token/${name}`), '', name, { type: 'merge', value }, { subresource: 'status' })
      .catch((error: unknown) => log.warn('token-status-failed', { name, error }));
  }
}

/** Says in an EdgeNode which token let it in, and with which key. */
const enrolledBy = 'causeway.io/enrolled-by';

function mark({ name }: TokenTerms, { keyPin }: TokenUse): string {
  return `${name} ${keyPin}`;
}

function isEnrolledBy({ metadata }: EdgeNode, terms: TokenTerms, use: TokenUse): boolean {
  return memberOf(metadata['annotations'], enrolledBy) === mark(terms, use);
}

/** The edge that a token is for, or the name that the edge gives itself where the token is for labels. */
function edgeFor({ edge }: TokenTerms, wanted: string | undefined): string {
  if (edge !== undefined) {
    if (wanted === undefined || wanted === edge) return edge;
    throw enrolmentError('token-foreign', { detail: `for ${edge}, asked for ${JSON.stringify(wanted)}` });
  }
  if (wanted === undefined || !isDnsLabel(wanted))
    throw enrolmentError('edge-name-missing', { detail: JSON.stringify(wanted ?? '') });
  return wanted;
}

function requireAdmitted({ metadata, spec }: EdgeNode, keyPin: string): void {
  if (spec.admission !== 'Allowed') throw enrolmentError('edge-not-allowed', { detail: metadata.name });
  if (spec.keyPin !== undefined && spec.keyPin !== keyPin)
    throw enrolmentError('edge-key-pinned', { detail: metadata.name });
}
