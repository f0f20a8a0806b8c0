import { isDnsLabel, isDnsName } from '../base/index.ts';
import { certError } from './cert-error.ts';

/** Who a certificate speaks for, inside a trust domain. */
export type Identity = EdgeIdentity | ReplicaIdentity | ComponentIdentity | OperatorIdentity;

export interface EdgeIdentity {
  readonly kind: 'edge';
  readonly trustDomain: string;
  /** A DNS label. */
  readonly id: string;
}

export interface ReplicaIdentity {
  readonly kind: 'replica';
  readonly trustDomain: string;
  /** A DNS label. */
  readonly site: string;
  /** A DNS label. */
  readonly name: string;
}

export interface ComponentIdentity {
  readonly kind: 'component';
  readonly trustDomain: string;
  /** A DNS label. */
  readonly name: string;
}

export interface OperatorIdentity {
  readonly kind: 'operator';
  readonly trustDomain: string;
  /** 1 to 63 of `a-z 0-9 . _ -`, a letter or digit at both ends. */
  readonly name: string;
}

export type IdentityKind = Identity['kind'];

export const identityKinds: readonly IdentityKind[] = ['edge', 'replica', 'component', 'operator'];

/** Scheme, the longest trust domain, and the longest path: `/replica/<63>/<63>`. */
const maxUriLength = 'spiffe://'.length + 253 + '/replica/'.length + 63 + 1 + 63;

/**
 * Reads a SPIFFE-style URI. Strict: lower case, no escapes, no port, no query, nothing before or behind, so that a text
 * has one meaning and an identity one text. Throws `identity-malformed`.
 */
export function parseIdentity(uri: string): Identity {
  const identity =
    uri.length <= maxUriLength && uri.startsWith('spiffe://')
      ? fromParts(uri.slice('spiffe://'.length).split('/'))
      : undefined;
  if (identity === undefined) throw certError('identity-malformed', JSON.stringify(uri.slice(0, maxUriLength)));
  return identity;
}

/** The URI of an identity. Throws `identity-malformed` when a part of it is not what its kind allows. */
export function formatIdentity(identity: Identity): string {
  const uri = `spiffe://${identity.trustDomain}/${identityName(identity)}`;
  const parsed = parseIdentity(uri);
  if (parsed.kind !== identity.kind || identityName(parsed) !== identityName(identity))
    throw certError('identity-malformed', uri);
  return uri;
}

/** An identity without its trust domain, as policies, logs and people write it: `edge/edge-1`, `replica/site-a/r0`. */
export function identityName(identity: Identity): string {
  switch (identity.kind) {
    case 'edge':
      return `edge/${identity.id}`;
    case 'replica':
      return `replica/${identity.site}/${identity.name}`;
    case 'component':
    case 'operator':
      return `${identity.kind}/${identity.name}`;
  }
}

/** The other way: `edge/edge-1` of a trust domain. Throws `identity-malformed`. */
export function identityOf(trustDomain: string, name: string): Identity {
  return parseIdentity(`spiffe://${trustDomain}/${name}`);
}

/** The URI of an authority: that of a root, or of the issuer of one kind. No leaf can have it, by its form. */
export function authorityUri(trustDomain: string, kind?: IdentityKind): string {
  return kind === undefined ? `spiffe://${trustDomain}` : `spiffe://${trustDomain}/issuer/${kind}`;
}

function fromParts([trustDomain = '', kind = '', ...names]: readonly string[]): Identity | undefined {
  if (!isDnsName(trustDomain)) return undefined;
  const [first = '', second = ''] = names;
  switch (kind) {
    case 'edge':
      return names.length === 1 && isDnsLabel(first) ? { kind, trustDomain, id: first } : undefined;
    case 'replica':
      return names.length === 2 && isDnsLabel(first) && isDnsLabel(second)
        ? { kind, trustDomain, site: first, name: second }
        : undefined;
    case 'component':
      return names.length === 1 && isDnsLabel(first) ? { kind, trustDomain, name: first } : undefined;
    case 'operator':
      return names.length === 1 && isOperatorName(first) ? { kind, trustDomain, name: first } : undefined;
    default:
      // A kind that does not exist, or none: the text comes from outside.
      return undefined;
  }
}

function isOperatorName(name: string): boolean {
  return name.length <= 63 && /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/.test(name);
}
