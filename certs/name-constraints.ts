import { derElement, derSequence } from './der.ts';

/** What an issuer's leaves may be named. */
export interface NameConstraints {
  /** The only host that URI names may have. */
  readonly uriHost: string;
  /** Whether leaves may have DNS names and IP addresses: only those that listen. */
  readonly hosts: boolean;
}

/**
 * The value of the NameConstraints extension (RFC 5280, 4.2.1.10), which OpenSSL enforces. A URI constraint binds only
 * the host of a URI, here the trust domain; that an issuer names only its own kind is the leaf policy's to check.
 *
 *   NameConstraints ::= SEQUENCE { permittedSubtrees [0], excludedSubtrees [1] }, each a SEQUENCE OF SEQUENCE { GeneralName }
 */
export function encodeNameConstraints({ uriHost, hosts }: NameConstraints): Buffer {
  const permitted = derElement(0xa0, subtree(6, Buffer.from(uriHost, 'latin1')));
  if (hosts) return derSequence(permitted);
  // An empty DNS name and an all-zero mask stand for every name and every address.
  const excluded = derElement(
    0xa1,
    subtree(2, Buffer.alloc(0)),
    subtree(7, Buffer.alloc(8)),
    subtree(7, Buffer.alloc(32)),
  );
  return derSequence(permitted, excluded);
}

function subtree(nameType: number, value: Buffer): Buffer {
  return derSequence(derElement(0x80 | nameType, value));
}
