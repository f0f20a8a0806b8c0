import { X509Certificate, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

import { isDnsName } from '../base/index.ts';
import { isAllowedKey } from './algorithms.ts';
import { certError } from './cert-error.ts';
import { authorityUri, formatIdentity, identityKinds, type Identity, type IdentityKind } from './identity.ts';
import { extendedKeyUsage, keyUsage, writeCertificate } from './x509.ts';

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

/** OpenSSL refuses a certificate that is not valid yet before any code of ours can be lenient, and clocks are off. */
export const backdateMs = 10 * 60_000;

/** An authority's certificate and key: of a root (`kind` undefined), or of the issuer of one kind. */
export interface Authority {
  readonly trustDomain: string;
  readonly kind: IdentityKind | undefined;
  readonly certPem: string;
  /** PKCS#8. */
  readonly keyPem: string;
}

/** How long, and from when. */
export interface Validity {
  readonly validMs?: number;
  /** Milliseconds since 1970. Default now. */
  readonly at?: number;
}

/** A certificate that was issued, with what a peer needs to check it. */
export interface IssuedLeaf {
  readonly identity: Identity;
  /** The leaf, then its issuer: what a TLS end sends. */
  readonly chainPem: string;
  readonly notAfter: Date;
}

export interface LeafRequest extends Validity {
  readonly identity: Identity;
  /** Where a replica listens: names and addresses that it is dialed by. Required for replicas, refused for others. */
  readonly hosts?: readonly string[];
}

/** Makes the root of a trust domain. Valid 10 years by default. */
export async function createRoot({
  trustDomain,
  validMs = 10 * yearMs,
  at = Date.now(),
}: Validity & { readonly trustDomain: string }): Promise<Authority> {
  if (!isDnsName(trustDomain)) throw certError('issue-refused', `${JSON.stringify(trustDomain)} is no trust domain`);
  const key = newKey();
  const subject = authoritySubject(undefined);
  const certPem = await writeCertificate({
    subject,
    names: { uris: [authorityUri(trustDomain)], dnsNames: [], ipAddresses: [] },
    publicKey: key.publicKey,
    notBefore: new Date(at - backdateMs),
    notAfter: new Date(at + validMs),
    caPathLength: 1,
    keyUsage: keyUsage.keyCertSign | keyUsage.crlSign,
    extendedKeyUsage: [],
    issuer: { subject, ...key },
  });
  return { trustDomain, kind: undefined, certPem, keyPem: exportKey(key.privateKey) };
}

/** Makes the issuing authority of one kind. Valid 5 years by default, and no longer than its root. */
export async function createIssuer(
  root: Authority,
  kind: IdentityKind,
  { validMs = 5 * yearMs, at = Date.now() }: Validity = {},
): Promise<Authority> {
  if (root.kind !== undefined) throw certError('issue-refused', 'only a root makes issuers');
  const key = newKey();
  const signer = signerOf(root);
  const certPem = await writeCertificate({
    subject: authoritySubject(kind),
    names: { uris: [authorityUri(root.trustDomain, kind)], dnsNames: [], ipAddresses: [] },
    publicKey: key.publicKey,
    notBefore: new Date(at - backdateMs),
    notAfter: earlier(at + validMs, signer.certificate),
    caPathLength: 0,
    keyUsage: keyUsage.keyCertSign | keyUsage.crlSign,
    extendedKeyUsage: usagesOf(kind),
    constraints: { uriHost: root.trustDomain, hosts: kind === 'replica' },
    issuer: signer,
  });
  return { trustDomain: root.trustDomain, kind, certPem, keyPem: exportKey(key.privateKey) };
}

/**
 * Issues the certificate of a public key, whose holder has proved to have the private one (a CSR's signature): the caller
 * checks that, and that the holder may have this identity. Valid 24 hours by default, and no longer than its issuer.
 * Throws `issue-refused`.
 */
export async function issueLeaf(
  issuer: Authority,
  request: LeafRequest & { readonly publicKey: KeyObject },
): Promise<IssuedLeaf> {
  const { identity, publicKey, hosts = [], validMs = 24 * hourMs, at = Date.now() } = request;
  const uri = formatIdentity(identity);
  if (issuer.kind !== identity.kind)
    throw certError('issue-refused', `the issuer of ${issuer.kind ?? 'a root'} cannot name ${uri}`);
  if (issuer.trustDomain !== identity.trustDomain)
    throw certError('issue-refused', `${uri} is not of ${issuer.trustDomain}`);
  if (!isAllowedKey(publicKey)) throw certError('issue-refused', 'the key has to be ECDSA on P-256 or P-384');
  if ((identity.kind === 'replica') !== hosts.length > 0) {
    throw certError('issue-refused', 'replicas have the names and addresses where they listen, others have none');
  }
  const signer = signerOf(issuer);
  const ipAddresses = hosts.filter((host) => /^[\d.]+$|:/.test(host));
  const dnsNames = hosts.filter((host) => !ipAddresses.includes(host));
  const broken = dnsNames.find((name) => !isDnsName(name));
  if (broken !== undefined) throw certError('issue-refused', `${JSON.stringify(broken)} is no host name`);

  const notAfter = earlier(at + validMs, signer.certificate);
  const certPem = await writeCertificate({
    subject: '',
    names: { uris: [uri], dnsNames, ipAddresses },
    publicKey,
    notBefore: new Date(at - backdateMs),
    notAfter,
    keyUsage: keyUsage.digitalSignature,
    extendedKeyUsage: usagesOf(identity.kind),
    issuer: signer,
  });
  return { identity, chainPem: certPem + issuer.certPem, notAfter };
}

/** Issues a certificate for a key made here: for replicas and tests; an edge makes its key where it stays. */
export async function issueFreshLeaf(
  issuer: Authority,
  request: LeafRequest,
): Promise<IssuedLeaf & { readonly keyPem: string }> {
  const key = newKey();
  return { ...(await issueLeaf(issuer, { ...request, publicKey: key.publicKey })), keyPem: exportKey(key.privateKey) };
}

/** The authorities of a whole fleet. */
export interface FleetAuthority {
  readonly root: Authority;
  readonly issuers: Readonly<Record<IdentityKind, Authority>>;
}

/** Makes a root and its four issuers. */
export async function createFleetAuthority(trustDomain: string, validity: Validity = {}): Promise<FleetAuthority> {
  const root = await createRoot({ trustDomain, ...validity });
  const [edge, replica, component, operator] = await Promise.all([
    createIssuer(root, 'edge', validity),
    createIssuer(root, 'replica', validity),
    createIssuer(root, 'component', validity),
    createIssuer(root, 'operator', validity),
  ]);
  return { root, issuers: { edge, replica, component, operator } };
}

/** Reads an authority back from its two files. Throws `trust-invalid` when they are not those of an authority of ours. */
export function parseAuthority(certPem: string, keyPem: string): Authority {
  try {
    const certificate = new X509Certificate(certPem);
    const uri = /^URI:(spiffe:\/\/[^,\s]+)$/.exec(certificate.subjectAltName ?? '')?.[1] ?? '';
    const trustDomain = uri.slice('spiffe://'.length).split('/')[0] ?? '';
    const kind = identityKinds.find((candidate) => authorityUri(trustDomain, candidate) === uri);
    const isRoot = authorityUri(trustDomain) === uri;
    if (!isDnsName(trustDomain) || (kind === undefined && !isRoot)) throw new Error('it names no authority');
    if (!certificate.ca) throw new Error('it is no authority');
    if (!certificate.checkPrivateKey(createPrivateKey(keyPem)))
      throw new Error('certificate and key do not belong together');
    return { trustDomain, kind, certPem, keyPem };
  } catch (error) {
    throw certError('trust-invalid', 'an authority', error);
  }
}

/** The subject of a root, or of the issuer of a kind: what the leaf policy knows an issuer by, so no root signs it for another. */
export function authoritySubject(kind: IdentityKind | undefined): string {
  return kind === undefined ? 'CN=causeway root' : `CN=causeway ${kind} issuer`;
}

/** What the leaves of a kind may do in a handshake: only replicas answer one. */
export function usagesOf(kind: IdentityKind): readonly string[] {
  return kind === 'replica'
    ? [extendedKeyUsage.serverAuth, extendedKeyUsage.clientAuth]
    : [extendedKeyUsage.clientAuth];
}

function newKey(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function exportKey(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

function signerOf(authority: Authority) {
  const certificate = new X509Certificate(authority.certPem);
  return {
    certificate,
    subject: authoritySubject(authority.kind),
    publicKey: certificate.publicKey,
    privateKey: createPrivateKey(authority.keyPem),
  };
}

function earlier(timeMs: number, certificate: X509Certificate): Date {
  return new Date(Math.min(timeMs, certificate.validToDate.getTime()));
}
