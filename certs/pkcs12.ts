import { createHash, createHmac, randomBytes } from 'node:crypto';

import { encryptKeyDer } from './encrypted-key.ts';
import { parseCertificates } from './pem.ts';

export interface Pkcs12Content {
  /** The leaf, then what stands above it. */
  readonly chainPem: string;
  readonly keyPem: string;
  /** What a browser or a key chain lists it as. */
  readonly friendlyName: string;
  /** Without a password no such file is written. */
  readonly password: string;
}

const oids = {
  data: '1.2.840.113549.1.7.1',
  keyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

/** Of the MAC's key; Windows, macOS, browsers and OpenSSL 1.1 take as many. */
const macIterations = 100_000;
/** RFC 7292, B.3: the purpose of a derived key. */
const macKeyPurpose = 3;

/**
 * A PKCS#12 file (RFC 7292) of a key and its certificates, as a browser, a key chain or `curl --cert-type P12` takes it. The
 * key is encrypted with AES-256, the whole has a MAC with SHA-256; certificates are no secret and stay readable.
 *
 * node-forge writes and derives what has no function in Node. Its own `toPkcs12Asn1` knows RSA only.
 */
export async function writePkcs12({ chainPem, keyPem, friendlyName, password }: Pkcs12Content): Promise<Buffer> {
  const { default: forge } = await import('node-forge');
  const { asn1, pkcs12, util } = forge;
  const { Class, Type } = asn1;
  type Asn1 = ReturnType<typeof asn1.create>;
  const binary = (bytes: Buffer): string => bytes.toString('latin1');
  const sequence = (...parts: Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, parts);
  const set = (...parts: Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SET, true, parts);
  const context = (part: Asn1): Asn1 => asn1.create(Class.CONTEXT_SPECIFIC, 0, true, [part]);
  const octets = (bytes: string): Asn1 => asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes);
  const oid = (id: string): Asn1 => asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(id).getBytes());
  const integer = (value: number): Asn1 =>
    asn1.create(Class.UNIVERSAL, Type.INTEGER, false, asn1.integerToDer(value).getBytes());
  const der = (part: Asn1): string => asn1.toDer(part).getBytes();
  const data = (part: Asn1): Asn1 => sequence(oid(oids.data), context(octets(der(part))));

  const certificates = parseCertificates(chainPem);
  const leafId = createHash('sha1')
    .update(certificates[0]?.raw ?? '')
    .digest();
  const attributes = set(
    // forge makes UTF-16 of it.
    sequence(oid(oids.friendlyName), set(asn1.create(Class.UNIVERSAL, Type.BMPSTRING, false, friendlyName))),
    sequence(oid(oids.localKeyId), set(octets(binary(leafId)))),
  );
  const certBags = certificates.map(({ raw }, index) => {
    const value = context(sequence(oid(oids.x509), context(octets(binary(raw)))));
    return sequence(oid(oids.certBag), value, ...(index === 0 ? [attributes] : []));
  });
  const encrypted = asn1.fromDer(binary(encryptKeyDer(keyPem, password)));
  const keyBag = sequence(oid(oids.keyBag), context(encrypted), attributes);
  const contents = der(sequence(data(sequence(...certBags)), data(sequence(keyBag))));

  const salt = binary(randomBytes(16));
  const digest = forge.md.sha256.create();
  const derived = pkcs12.generateKey(password, util.createBuffer(salt), macKeyPurpose, macIterations, 32, digest);
  const mac = createHmac('sha256', Buffer.from(derived.getBytes(), 'latin1')).update(contents, 'latin1').digest();
  const algorithm = sequence(oid(oids.sha256), asn1.create(Class.UNIVERSAL, Type.NULL, false, ''));
  const macData = sequence(sequence(algorithm, octets(binary(mac))), octets(salt), integer(macIterations));
  return Buffer.from(der(sequence(integer(3), sequence(oid(oids.data), context(octets(contents))), macData)), 'latin1');
}
