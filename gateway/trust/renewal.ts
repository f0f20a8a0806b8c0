import type { KeyObject } from 'node:crypto';
import type { ExpiredRenewRequest, Renewed, RenewRequest } from '../../api/index.ts';
import { codeOf, messageOf, type CodedError } from '../../base/index.ts';
import {
  checkChain,
  parseChain,
  keyPinOfKey,
  provesRenewal,
  readCertificateRequest,
  type Identity,
  type RenewalClaim,
  type TrustBundle,
} from '../../certs/index.ts';
import { tunnelError } from '../../tunnel/index.ts';
import type { Audit } from '../audit/index.ts';
import type { EdgeDirectory } from '../edge-directory.ts';
import { gatewayError } from '../gateway-error.ts';
import type { EdgeIssuer } from './edge-issuer.ts';

/** Which key, and which certificate: what may have been revoked. */
export interface RenewalFacts {
  readonly keyPin: string;
  /** Empty: none yet. */
  readonly serial: string;
}

export interface RenewalOptions {
  readonly issuer: EdgeIssuer;
  readonly directory: Pick<EdgeDirectory, 'admission' | 'find'>;
  readonly trust: () => TrustBundle;
  /** Whose edges may renew after their certificate has expired: also those of a root that has been retired. */
  readonly renewalTrust: () => TrustBundle;
  /** The key of the issuer that the fleet has moved to, as `EdgeIssuer.keyId`; undefined: whatever the replica has. */
  readonly wantedIssuer: () => string | undefined;
  /** Why an identity, a key or a certificate is revoked; undefined when it is not. */
  readonly refusal: (identity: Identity, facts: RenewalFacts) => CodedError | undefined;
  readonly audit: Audit;
  /** How long after its end a certificate is still renewed. */
  readonly graceMs: number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

/** Issues the next certificate of an edge that has, or had, one: while the edge is on the whitelist and nothing of it is revoked. */
export class Renewal {
  readonly #options: RenewalOptions;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /**
   * For an edge that asks over its link: that proves its identity and its old key. Throws `edge-denied`, `key-pinned`,
   * `issuer-missing`, `issuer-outdated`, `request-malformed` ...
   */
  async overLink(identity: Identity & { readonly kind: 'edge' }, { csr }: RenewRequest): Promise<Renewed> {
    return await this.#audited(identity.id, undefined, async () =>
      this.#issue(identity, await readCertificateRequest(csr)),
    );
  }

  /**
   * For an edge whose certificate has expired, on a connection without one: `claim` is the TLS connection. To whoever is not
   * known it says nothing but `renewal-refused`; the audit has the reason. What an edge has proved to be is told why.
   */
  async afterExpiry(
    { chain, csr, signature }: ExpiredRenewRequest,
    { socket, remote }: { readonly socket: RenewalClaim['socket']; readonly remote: string | undefined },
  ): Promise<Renewed> {
    const { renewalTrust, graceMs, wallClock, audit } = this.#options;
    let identity: Identity;
    let serial: string;
    let oldPin: string;
    try {
      const { leaf, issuer } = parseChain(chain);
      identity = checkChain(leaf, issuer, { trust: renewalTrust(), kinds: ['edge'], now: wallClock(), graceMs });
      if (!provesRenewal({ socket, leaf, csrPem: csr }, signature))
        throw gatewayError('renewal-refused', { detail: 'the old key has not signed it' });
      serial = leaf.serialNumber;
      oldPin = keyPinOfKey(leaf.publicKey);
    } catch (cause) {
      const where = remote === undefined ? {} : { remote };
      const why = { code: codeOf(cause), reason: messageOf(cause) };
      audit.record({ action: 'renew', outcome: 'refused', principal: '', ...where, ...why });
      throw gatewayError('renewal-refused');
    }
    if (identity.kind !== 'edge') throw gatewayError('renewal-refused');
    const known = identity;
    return await this.#audited(known.id, remote, async () => {
      const revoked = this.#options.refusal(known, { keyPin: oldPin, serial });
      if (revoked !== undefined) throw revoked;
      this.#requirePin(known.id, oldPin);
      return this.#issue(known, await readCertificateRequest(csr));
    });
  }

  async #issue(identity: Identity & { readonly kind: 'edge' }, key: KeyObject): Promise<Renewed> {
    const { issuer, directory, trust, wantedIssuer, refusal } = this.#options;
    const { id } = identity;
    if (directory.admission(id) !== 'allowed') throw tunnelError('edge-denied', { detail: id, retryAfterMs: 30_000 });
    const keyPin = keyPinOfKey(key);
    const revoked = refusal(identity, { keyPin, serial: '' });
    if (revoked !== undefined) throw revoked;
    this.#requirePin(id, keyPin);
    const wanted = wantedIssuer();
    if (wanted !== undefined && issuer.keyId !== undefined && wanted !== issuer.keyId)
      throw gatewayError('issuer-outdated', { retryAfterMs: 5000 });
    const { chainPem } = await issuer.issue(id, key);
    return { chain: chainPem, trust: trust().text };
  }

  /** The operator has decided on a key: no other one gets a certificate. */
  #requirePin(edge: string, keyPin: string): void {
    const pinned = this.#options.directory.find(edge)?.spec.keyPin;
    if (pinned !== undefined && pinned !== keyPin) throw gatewayError('key-pinned', { detail: edge });
  }

  async #audited(edge: string, remote: string | undefined, renew: () => Promise<Renewed>): Promise<Renewed> {
    const { audit } = this.#options;
    const event = { action: 'renew', principal: `edge/${edge}`, edge, ...(remote === undefined ? {} : { remote }) };
    try {
      const renewed = await renew();
      audit.record({ ...event, outcome: 'done' });
      return renewed;
    } catch (error) {
      audit.record({ ...event, outcome: 'refused', code: codeOf(error), reason: messageOf(error) });
      throw error;
    }
  }
}
