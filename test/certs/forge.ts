import { createHash, sign, type KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';
import {
  bits,
  boolean,
  context,
  contextBytes,
  element,
  integer,
  nothing,
  octets,
  oid,
  pem,
  sequence,
  set,
  time,
  utf8,
} from './der.ts';

/** What an authority that does not look can be made to sign. */
export interface Forgery {
  /** Common name; empty for no subject. Default none. */
  readonly subject?: string;
  readonly issuer: Issuer;
  readonly publicKey: KeyObject;
  /** Default 3. */
  readonly version?: number;
  readonly serial?: Buffer;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Default SHA-256. */
  readonly hash?: 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512' | 'md5';
  /** The algorithm that the signed part names, where it is not the one of the signature. */
  readonly namedHash?: Forgery['hash'];
  /** Flips a bit of the signature. */
  readonly isTampered?: boolean;
  readonly extensions: readonly (Buffer | undefined)[];
}

export interface Issuer {
  /** Common name. */
  readonly subject: string;
  readonly privateKey: KeyObject;
}

const minuteMs = 60_000;

const ecdsa = { sha1: '1', sha224: '3.1', sha256: '3.2', sha384: '3.3', sha512: '3.4', md5: '1' } as const;
const rsa = { sha1: '5', sha224: '14', sha256: '11', sha384: '12', sha512: '13', md5: '4' } as const;

/** A certificate as it is asked for, right or wrong: PEM. */
export function forge(forgery: Forgery): string {
  const { issuer, subject = '', publicKey, version = 3, hash = 'sha256', namedHash = hash } = forgery;
  const extensions = forgery.extensions.filter((each) => each !== undefined);
  const signed = sequence(
    ...(version === 1 ? [] : [context(0, integer(version - 1))]),
    integer(forgery.serial ?? serialOf(forgery)),
    algorithm(issuer.privateKey, namedHash),
    nameOf(issuer.subject),
    sequence(
      time(forgery.notBefore ?? new Date(Date.now() - 10 * minuteMs)),
      time(forgery.notAfter ?? new Date(Date.now() + 60 * minuteMs)),
    ),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [context(3, sequence(...extensions))]),
  );
  const isHashed = issuer.privateKey.asymmetricKeyType !== 'ed25519';
  const signature = sign(isHashed ? hash : null, signed, issuer.privateKey);
  if (forgery.isTampered === true)
    signature.writeUInt8(signature.readUInt8(signature.length - 1) ^ 1, signature.length - 1);
  return pem(sequence(signed, algorithm(issuer.privateKey, hash), bits(signature)));
}

function algorithm({ asymmetricKeyType: type }: KeyObject, hash: NonNullable<Forgery['hash']>): Buffer {
  if (type === 'rsa') return sequence(oid(`1.2.840.113549.1.1.${rsa[hash]}`), nothing());
  return sequence(oid(type === 'ed25519' ? '1.3.101.112' : `1.2.840.10045.4.${ecdsa[hash]}`));
}

/** Another one for another key, of one length, positive. */
function serialOf({ publicKey, issuer }: Forgery): Buffer {
  const serial = createHash('sha256').update(keyId(publicKey)).update(issuer.subject).digest().subarray(0, 16);
  serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0);
  return serial;
}

function nameOf(commonName: string): Buffer {
  return commonName === '' ? sequence() : sequence(set(sequence(oid('2.5.4.3'), utf8(commonName))));
}

export function extension(id: string, value: Buffer, { critical = false } = {}): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

export function basicConstraints(isCa: boolean, pathLength?: number): Buffer {
  const parts = [...(isCa ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])];
  return extension('2.5.29.19', sequence(...parts), { critical: true });
}

/** In the order of their bits. */
const usages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const;

export function keyUsage(...names: readonly (typeof usages)[number][]): Buffer {
  const value = names.reduce((sum, name) => sum | (0x80 >> usages.indexOf(name)), 0);
  const unused = value === 0 ? 0 : Math.clz32(value & -value) === 31 ? 0 : 31 - Math.clz32(value & -value);
  return extension('2.5.29.15', bits(Buffer.from([value]), unused), { critical: true });
}

export const purposes = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  code: '1.3.6.1.5.5.7.3.3',
  ocsp: '1.3.6.1.5.5.7.3.9',
  any: '2.5.29.37.0',
} as const;

export function extendedKeyUsage(...names: readonly (keyof typeof purposes)[]): Buffer {
  return extension('2.5.29.37', sequence(...names.map((name) => oid(purposes[name]))));
}

export function alternativeNames(...names: readonly Buffer[]): Buffer {
  return extension('2.5.29.17', sequence(...names), { critical: true });
}

export const name = {
  uri: (text: string): Buffer => contextBytes(6, text),
  dns: (text: string): Buffer => contextBytes(2, text),
  email: (text: string): Buffer => contextBytes(1, text),
  ip: (text: string): Buffer =>
    contextBytes(7, isIPv4(text) ? Buffer.from(text.split('.').map(Number)) : Buffer.alloc(16, 0).fill(1, 15)),
  directory: (text: string): Buffer => context(4, nameOf(text)),
  registered: (id: string): Buffer => contextBytes(8, oid(id).subarray(2)),
  /** A Microsoft user principal name. */
  other: (text: string): Buffer => context(0, oid('1.3.6.1.4.1.311.20.2.3'), context(0, utf8(text))),
};

export function subjectKeyId(key: KeyObject | Buffer): Buffer {
  return extension('2.5.29.14', octets(Buffer.isBuffer(key) ? key : keyId(key)));
}

export function authorityKeyId(id: Buffer): Buffer {
  return extension('2.5.29.35', sequence(contextBytes(0, id)));
}

/** Only this host in URIs. */
export function uriConstraint(host: string): Buffer {
  return extension('2.5.29.30', sequence(context(0, sequence(contextBytes(6, host)))), { critical: true });
}

/** Names a public key: a hash of it. */
export function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

/** The subject key identifier that a certificate holds. */
export function keyIdIn(der: Buffer): Buffer {
  const head = Buffer.concat([oid('2.5.29.14'), Buffer.from([0x04, 0x16, 0x04, 0x14])]);
  const at = der.indexOf(head);
  if (at === -1) throw new Error('a certificate without a key identifier');
  return der.subarray(at + head.length, at + head.length + 20);
}

/** An extension that nobody knows. */
export function unknownExtension(critical: boolean): Buffer {
  return extension('1.3.6.1.4.1.99999.1', element(0x0c, Buffer.from('?')), { critical });
}
