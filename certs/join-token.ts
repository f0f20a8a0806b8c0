import { createHash, randomBytes, timingSafeEqual, type X509Certificate } from 'node:crypto';

import { certError } from './cert-error.ts';
import { keyPinOfKey } from './leaf-policy.ts';
import type { TrustBundle } from './trust-bundle.ts';

const idBytes = 8;
const secretBytes = 32;

const form = /^cwt1\.([0-9a-f]{16})\.([\w-]{43})\.([\w-]{43})$/;

/** What an edge is given to enrol with: `cwt1.ID.SECRET.PIN`. Who has the text has the leave. */
export interface JoinToken {
  /** 16 hex digits; its object is `t-ID`. */
  readonly id: string;
  /** 32 random bytes as base64url. */
  readonly secret: string;
  /** `pinOfRoot` of the fleet's root: the edge sends nothing to whom this root does not vouch for. */
  readonly pin: string;
  readonly text: string;
}

/** Makes a token for a fleet of this root. */
export function newJoinToken(root: X509Certificate): JoinToken {
  const id = randomBytes(idBytes).toString('hex');
  const secret = randomBytes(secretBytes).toString('base64url');
  const pin = pinOfRoot(root);
  return { id, secret, pin, text: `cwt1.${id}.${secret}.${pin}` };
}

/** Reads a token, spaces around it aside. Throws `token-malformed`, which never repeats any of it. */
export function parseJoinToken(text: string): JoinToken {
  const [whole, id, secret, pin] = form.exec(text.slice(0, 1024).trim()) ?? [];
  if (whole === undefined || id === undefined || secret === undefined || pin === undefined)
    throw certError('token-malformed', reasonFor(text));
  // The last of 43 characters has bits to spare; two texts must not be one secret.
  for (const part of [secret, pin])
    if (Buffer.from(part, 'base64url').toString('base64url') !== part)
      throw certError('token-malformed', 'a character of it has changed');
  return { id, secret, pin, text: whole };
}

/** What is kept of a secret. It is random and long, so that a plain hash is as good as a slow one. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

/** Whether a secret is the one of a hash; takes as long for any. */
export function isSecretOf(hash: string, secret: string): boolean {
  const [given, kept] = [Buffer.from(hashOfSecret(secret)), Buffer.from(hash)];
  return given.length === kept.length && timingSafeEqual(given, kept);
}

/** Base64url of the hash of a root's public key. */
export function pinOfRoot(root: X509Certificate): string {
  return keyPinOfKey(root.publicKey).replace(/^sha256\//, '');
}

/** The root of a bundle that has signed an issuer; undefined when none has. */
export function rootOf(trust: TrustBundle, issuer: X509Certificate): X509Certificate | undefined {
  return trust.roots.find((root) => issuer.checkIssued(root) && issuer.verify(root.publicKey));
}

function reasonFor(text: string): string {
  const length = text.trim().length;
  const parts = text.trim().split('.').length;
  if (!text.trim().startsWith('cwt1.')) return 'it begins with cwt1.';
  return parts === 4
    ? `it has ${length} characters`
    : `it has ${parts} parts of 4: some of it is missing, or too much was copied`;
}
