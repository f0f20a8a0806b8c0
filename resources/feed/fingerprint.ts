import { hash } from 'node:crypto';

/**
 * 64 bits that stand for an object as it is, name included, since its bytes hold its name. Two ends compare by them what they
 * hold without sending it; a collision would hide one change of one object until the next.
 */
export type Fingerprint = bigint;

export const FINGERPRINT_BYTES = 8;

export function fingerprintOf(bytes: Uint8Array): Fingerprint {
  return hash('sha256', bytes, 'buffer').readBigUInt64BE(0);
}

/** What a set of objects comes to, whatever order they came in: kept up to date with each change, compared at a glance. */
export class Digest {
  #count = 0;
  #xor: Fingerprint = 0n;

  get count(): number {
    return this.#count;
  }

  add(fingerprint: Fingerprint): void {
    this.#count++;
    this.#xor ^= fingerprint;
  }

  remove(fingerprint: Fingerprint): void {
    this.#count--;
    this.#xor ^= fingerprint;
  }

  /** `count:xor`, the second in hex. */
  toString(): string {
    return `${this.#count}:${this.#xor.toString(16)}`;
  }
}

export function encodeFingerprints(fingerprints: readonly Fingerprint[]): Buffer {
  const bytes = Buffer.allocUnsafe(fingerprints.length * FINGERPRINT_BYTES);
  fingerprints.forEach((fingerprint, index) => bytes.writeBigUInt64BE(fingerprint, index * FINGERPRINT_BYTES));
  return bytes;
}

/** `bytes` is whole fingerprints: its reader has checked the length. */
export function decodeFingerprints(bytes: Buffer): Fingerprint[] {
  const fingerprints: Fingerprint[] = [];
  for (let at = 0; at < bytes.length; at += FINGERPRINT_BYTES) fingerprints.push(bytes.readBigUInt64BE(at));
  return fingerprints;
}
