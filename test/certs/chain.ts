import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import type { Authority, IdentityKind } from '../../certs/index.ts';
import type { TestFleet } from '../support/certificates.ts';
import {
  alternativeNames,
  authorityKeyId,
  basicConstraints,
  extendedKeyUsage,
  forge,
  keyId,
  keyIdIn,
  keyUsage,
  name,
  subjectKeyId,
  type Forgery,
  type Issuer,
} from './forge.ts';

/** What is offered in a handshake. */
export interface Chain {
  /** The leaf, and what is sent behind it. */
  readonly certificates: readonly string[];
  readonly keyPem: string;
}

/** A key with its certificate, to sign with. */
export interface Signer extends Issuer {
  readonly publicKey: KeyObject;
  readonly keyId: Buffer;
  readonly certPem: string;
}

/** Who would be accepted at a door, and what its certificate has to be. */
export interface Peer {
  readonly kind: IdentityKind;
  readonly trustDomain: string;
  /** Without scheme and trust domain: `edge/edge-1`. */
  readonly path: string;
  readonly uri: string;
  /** Names of where a replica listens. */
  readonly hosts: readonly Buffer[];
  /** The right issuer. */
  readonly issuer: Signer;
  readonly fleet: TestFleet;
  /** Another fleet of the same trust domain. */
  readonly stranger: TestFleet;
}

/** A part of the leaf that is not as it should be; null leaves an extension out. */
export type LeafChange = Partial<Omit<Forgery, 'issuer' | 'publicKey' | 'extensions'>> & {
  readonly key?: KeyPair;
  readonly basicConstraints?: Buffer | null;
  readonly keyUsage?: Buffer | null;
  readonly names?: Buffer | null;
  readonly extendedKeyUsage?: Buffer | null;
  readonly subjectKeyId?: Buffer | null;
  readonly authorityKeyId?: Buffer | null;
  readonly more?: readonly Buffer[];
};

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** One key for all leaves: to make it is what costs time. */
export const leafKey: KeyPair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
/** And one for all authorities that are not real. */
export const falseKey: KeyPair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

const paths: Readonly<Record<IdentityKind, string>> = {
  edge: 'edge/edge-1',
  replica: 'replica/site-b/r1',
  operator: 'operator/alice',
  component: 'component/inventory',
};

export function peerOf(fleet: TestFleet, stranger: TestFleet, kind: IdentityKind): Peer {
  const { trustDomain } = fleet;
  const path = paths[kind];
  return {
    kind,
    trustDomain,
    path,
    uri: `spiffe://${trustDomain}/${path}`,
    hosts: kind === 'replica' ? [name.dns('localhost'), name.ip('127.0.0.1')] : [],
    issuer: signerOf(fleet.authority.issuers[kind]),
    fleet,
    stranger,
  };
}

export function signerOf({ certPem, keyPem }: Authority): Signer {
  const certificate = new X509Certificate(certPem);
  return {
    subject: certificate.subject.replace(/^CN=/u, ''),
    privateKey: createPrivateKey(keyPem),
    publicKey: certificate.publicKey,
    keyId: keyIdIn(certificate.raw),
    certPem,
  };
}

/** A leaf that is right but for the change. */
export function leafOf(peer: Peer, change: LeafChange = {}, signer: Signer = peer.issuer): Chain & { leaf: string } {
  const { key = leafKey, more = [], ...rest } = change;
  const part = (own: Buffer | null | undefined, right: () => Buffer): Buffer | undefined =>
    own === null ? undefined : (own ?? right());
  const leaf = forge({
    ...rest,
    issuer: signer,
    publicKey: key.publicKey,
    extensions: [
      part(change.basicConstraints, () => basicConstraints(false)),
      part(change.keyUsage, () => keyUsage('digitalSignature')),
      part(change.names, () => alternativeNames(name.uri(peer.uri), ...peer.hosts)),
      part(change.subjectKeyId, () => subjectKeyId(keyId(key.publicKey))),
      part(change.authorityKeyId, () => authorityKeyId(signer.keyId)),
      part(change.extendedKeyUsage, () => usageOf(peer.kind)),
      ...more,
    ],
  });
  const keyPem = String(key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { leaf, certificates: [leaf, signer.certPem], keyPem };
}

export function usageOf(kind: IdentityKind): Buffer {
  return kind === 'replica' ? extendedKeyUsage('server', 'client') : extendedKeyUsage('client');
}

export interface AuthorityChange extends Partial<Omit<Forgery, 'issuer' | 'publicKey' | 'extensions'>> {
  /** Default that of the peer's issuer. */
  readonly subject?: string;
  readonly key?: KeyPair;
  /** Where only the public half is at hand, or another identifier is to be claimed. */
  readonly claimsKeyId?: Buffer;
  readonly basicConstraints?: Buffer | null;
  readonly keyUsage?: Buffer | null;
  readonly extendedKeyUsage?: Buffer | null;
  readonly more?: readonly Buffer[];
}

/** An authority that looks like the peer's issuer but for the change, signed by somebody. */
export function authorityBy(signer: Signer | 'itself', peer: Peer, change: AuthorityChange = {}): Signer {
  const { key = falseKey, subject = peer.issuer.subject, more = [], claimsKeyId, ...rest } = change;
  const id = claimsKeyId ?? keyId(key.publicKey);
  const issuer = signer === 'itself' ? { subject, privateKey: key.privateKey, keyId: id } : signer;
  const part = (own: Buffer | null | undefined, right: () => Buffer): Buffer | undefined =>
    own === null ? undefined : (own ?? right());
  const certPem = forge({
    ...rest,
    subject,
    issuer,
    publicKey: key.publicKey,
    extensions: [
      part(change.basicConstraints, () => basicConstraints(true, 0)),
      part(change.keyUsage, () => keyUsage('keyCertSign', 'cRLSign')),
      part(change.extendedKeyUsage, () => usageOf(peer.kind)),
      subjectKeyId(id),
      authorityKeyId(issuer.keyId),
      ...more,
    ],
  });
  return { subject, privateKey: key.privateKey, publicKey: createPublicKey(key.privateKey), keyId: id, certPem };
}
