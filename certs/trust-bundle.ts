import { createHash, createPrivateKey, sign, verify, type X509Certificate } from 'node:crypto';

import { isDnsName } from '../base/index.ts';
import { hasAllowedAlgorithms } from './algorithms.ts';
import type { Authority } from './authority.ts';
import { certError } from './cert-error.ts';
import { authorityUri } from './identity.ts';
import { parseCertificates } from './pem.ts';
import { keyUsage, readCertificate } from './x509.ts';

/** While a root is rolled there are two; more are a mistake. */
const maxRoots = 8;

/** The roots that a fleet trusts; all of one trust domain, which they name themselves. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** What TLS takes as `ca`: the roots and nothing else. */
  readonly pem: string;
  readonly roots: readonly X509Certificate[];
  /** Rises with each change of the roots; 0 for a fleet's first bundle, which nobody signed. */
  readonly serial: number;
  /**
   * Fingerprints (`fingerprintOfRoot`) of roots that have left, and for which one thing still holds: edges that were away may renew by the
   * certificates that they have from then. Signed as the roots are.
   */
  readonly retired: readonly string[];
  /** Names serial and roots: two that are equal trust the same. */
  readonly version: string;
  /** As it was read, with serial and signatures: what is kept and handed on. */
  readonly text: string;
}

/**
 * Reads a bundle of roots: PEM, below the lines that `signTrust` writes above it, which other programs skip. Signatures are
 * not looked at here. Throws `trust-invalid`.
 */
export function parseTrustBundle(text: string): TrustBundle {
  const roots = certificatesOf(text);
  if (roots.length === 0 || roots.length > maxRoots)
    throw certError('trust-invalid', `${roots.length} roots instead of 1 to ${maxRoots}`);
  const domains = new Set(roots.map(trustDomainOf));
  const [trustDomain = ''] = domains;
  if (domains.size !== 1)
    throw certError('trust-invalid', `roots of several trust domains: ${[...domains].join(', ')}`);
  const { serial, retired } = headOf(text);
  const version = `${serial}-${createHash('sha256')
    .update(statement(trustDomain, serial, roots, retired))
    .digest('hex')
    .slice(0, 16)}`;
  return { trustDomain, pem: roots.map((root) => root.toString()).join(''), roots, serial, retired, version, text };
}

/**
 * The text of a bundle of these roots, signed by the roots that those have who are to take it: a replica that is broken into can
 * hand it on, and can make none. `retired`: see `TrustBundle`. Throws `trust-invalid` when `serial` is not above 0, or a root cannot be read.
 */
export function signTrust(
  rootsPem: string,
  serial: number,
  signers: readonly Authority[],
  retired: readonly string[] = [],
): string {
  if (!Number.isSafeInteger(serial) || serial < 1) throw certError('trust-invalid', `serial ${serial}`);
  const { trustDomain, roots, pem } = parseTrustBundle(rootsPem);
  const text = statement(trustDomain, serial, roots, retired);
  const signatures = signers.map(({ keyPem }) => sign('sha256', text, createPrivateKey(keyPem)).toString('base64url'));
  const lines = [...retired.map((each) => `Retired: ${each}`), ...signatures.map((each) => `Signature: ${each}`)];
  return [title, `Serial: ${serial}`, ...lines, pem].join('\n');
}

/** How `retired` names a root: SHA-256 of the certificate, hex. */
export function fingerprintOfRoot({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('hex');
}

/**
 * The bundle that takes the place of `current`: newer, of the same fleet, and signed by a root that is trusted now. Throws
 * `trust-invalid`; its detail says which of these it is not.
 */
export function verifyTrustUpdate(current: TrustBundle, text: string): TrustBundle {
  const next = parseTrustBundle(text);
  if (next.trustDomain !== current.trustDomain)
    throw certError('trust-invalid', `it is of ${next.trustDomain}, not of ${current.trustDomain}`);
  if (next.serial <= current.serial)
    throw certError('trust-invalid', `serial ${next.serial} is not newer than ${current.serial}`);
  const said = statement(next.trustDomain, next.serial, next.roots, next.retired);
  const isSigned = headOf(text).signatures.some((signature) =>
    current.roots.some((root) => verify('sha256', said, root.publicKey, signature)),
  );
  if (!isSigned) throw certError('trust-invalid', 'no root that is trusted now has signed it');
  return next;
}

const title = 'causeway trust bundle';
const maxSignatures = 8;
const maxRetired = 8;

/** What signatures are over. A certificate's begin with 0x30, so neither is ever taken for the other. */
function statement(
  trustDomain: string,
  serial: number,
  roots: readonly X509Certificate[],
  retired: readonly string[],
): Buffer {
  const fingerprints = [...roots.map(fingerprintOfRoot), ...retired.map((each) => `retired ${each}`)];
  return Buffer.from([`${title} v1`, trustDomain, String(serial), ...fingerprints].join('\n'));
}

/** The lines above the first certificate; a text without them has none. */
function headOf(text: string): {
  readonly serial: number;
  readonly retired: readonly string[];
  readonly signatures: readonly Buffer[];
} {
  const [head = ''] = text.split('-----BEGIN', 1);
  const lines = head.split('\n').map((line) => line.trim());
  if (!lines.includes(title)) return { serial: 0, retired: [], signatures: [] };
  const [serial] = lines.flatMap((line) => /^Serial: (\d{1,15})$/u.exec(line)?.[1] ?? []);
  if (serial === undefined) throw certError('trust-invalid', 'a bundle without a serial');
  const signatures = lines.flatMap((line) => /^Signature: ([\w-]{1,256})$/u.exec(line)?.[1] ?? []);
  if (signatures.length > maxSignatures) throw certError('trust-invalid', `more than ${maxSignatures} signatures`);
  const retired = lines.flatMap((line) => /^Retired: ([0-9a-f]{64})$/u.exec(line)?.[1] ?? []);
  if (retired.length > maxRetired) throw certError('trust-invalid', `more than ${maxRetired} retired roots`);
  return { serial: Number(serial), retired, signatures: signatures.map((each) => Buffer.from(each, 'base64url')) };
}

function certificatesOf(pem: string): readonly X509Certificate[] {
  try {
    return parseCertificates(pem);
  } catch (error) {
    throw certError('trust-invalid', undefined, error);
  }
}

function trustDomainOf(root: X509Certificate): string {
  const fields = readCertificate(root.raw);
  const [uri = ''] = fields.names.uris;
  const trustDomain = uri.slice('spiffe://'.length);
  const named = fields.names.uris.length === 1 && isDnsName(trustDomain) && uri === authorityUri(trustDomain);
  if (!named) throw certError('trust-invalid', 'a root that names no trust domain');
  const signs = fields.isCa && (fields.keyUsage & keyUsage.keyCertSign) !== 0;
  if (!signs || !hasAllowedAlgorithms(root)) throw certError('trust-invalid', 'a certificate that is no root');
  if (!root.checkIssued(root) || !root.verify(root.publicKey))
    throw certError('trust-invalid', 'a root that did not sign itself');
  return trustDomain;
}
