import './reflect-metadata.ts';

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type JsonGeneralNames,
} from '@peculiar/x509';
import { createPublicKey, randomBytes, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

import { certError } from './cert-error.ts';
import { encodeNameConstraints, type NameConstraints } from './name-constraints.ts';

// The one file that imports @peculiar/x509: it writes and reads certificates and never judges a chain; OpenSSL does.

/** Bits of the KeyUsage extension, RFC 5280, 4.2.1.3, as the library numbers them. */
export const keyUsage = { digitalSignature: 1, keyCertSign: 32, crlSign: 64 } as const;

export const extendedKeyUsage = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

const nameConstraintsOid = '2.5.29.30';

export interface AltNames {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface CertificateTemplate {
  /** As RFC 4514 writes it; empty for none. */
  readonly subject: string;
  readonly names: AltNames;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The path length of an authority; undefined for a leaf. */
  readonly caPathLength?: number;
  readonly keyUsage: number;
  readonly extendedKeyUsage: readonly string[];
  readonly constraints?: NameConstraints;
  /** Who signs: P-256. */
  readonly issuer: { readonly subject: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

/** Writes and signs a certificate: PEM. The serial number is random, 126 bits. */
export async function writeCertificate(template: CertificateTemplate): Promise<string> {
  const { issuer } = template;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const spki = template.publicKey.export({ type: 'spki', format: 'der' });
  const issuerSpki = issuer.publicKey.export({ type: 'spki', format: 'der' });
  const isCa = template.caPathLength !== undefined;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(isCa, template.caPathLength, true),
    new KeyUsagesExtension(template.keyUsage, true),
    // RFC 5280, 4.2.1.6: critical when the subject is empty.
    new SubjectAlternativeNameExtension(generalNames(template.names), template.subject === ''),
    await SubjectKeyIdentifierExtension.create(spki),
    await AuthorityKeyIdentifierExtension.create(issuerSpki),
  ];
  if (template.extendedKeyUsage.length > 0)
    extensions.push(new ExtendedKeyUsageExtension([...template.extendedKeyUsage]));
  if (template.constraints !== undefined) {
    extensions.push(new Extension(nameConstraintsOid, true, encodeNameConstraints(template.constraints)));
  }
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: template.subject,
    issuer: issuer.subject,
    notBefore: template.notBefore,
    notAfter: template.notAfter,
    publicKey: spki,
    signingKey: issuer.privateKey.toCryptoKey(algorithm, false, ['sign']),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions,
  });
  return `${certificate.toString('pem')}\n`;
}

/** What the leaf policy has to know of a certificate. */
export interface CertificateFields {
  /** 1 to 3. */
  readonly version: number;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly names: AltNames;
  /** Names of a type that no certificate of ours has: e-mail, directory, registered id. */
  readonly otherNames: number;
  readonly isCa: boolean;
  readonly caPathLength: number | undefined;
  /** 0 when the extension is missing. */
  readonly keyUsage: number;
  readonly extendedKeyUsage: readonly string[];
  /** The key identifier of its own key, hex; empty when the extension is missing. */
  readonly keyId: string;
  /** The key identifier of the key that signed it, as its issuer wrote it. */
  readonly issuerKeyId: string;
}

/** Reads a certificate. Throws `cert-malformed`, also for names that cannot be told apart and repeated extensions. */
export function readCertificate(der: Buffer): CertificateFields {
  try {
    const certificate = new X509Certificate(new Uint8Array(der));
    const types = certificate.extensions.map((extension) => extension.type);
    if (new Set(types).size !== types.length) throw new Error('an extension stands twice');
    const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
    const valuesOf = (type: string): string[] => names.filter((name) => name.type === type).map((name) => name.value);
    const constraints = certificate.getExtension(BasicConstraintsExtension);
    return {
      version: versionOf(der),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      names: { uris: valuesOf('url'), dnsNames: valuesOf('dns'), ipAddresses: valuesOf('ip') },
      otherNames: names.filter((name) => !['url', 'dns', 'ip'].includes(name.type)).length,
      isCa: constraints?.ca ?? false,
      caPathLength: constraints?.pathLength,
      keyUsage: certificate.getExtension(KeyUsagesExtension)?.usages ?? 0,
      extendedKeyUsage: certificate.getExtension(ExtendedKeyUsageExtension)?.usages.map(String) ?? [],
      keyId: certificate.getExtension(SubjectKeyIdentifierExtension)?.keyId ?? '',
      issuerKeyId: certificate.getExtension(AuthorityKeyIdentifierExtension)?.keyId ?? '',
    };
  } catch (error) {
    throw certError('cert-malformed', undefined, error);
  }
}

/** Writes a certificate request (PKCS#10) that names nobody, signed with the key that it is for: P-256. PEM. */
export async function writeRequest(key: {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const request = await Pkcs10CertificateRequestGenerator.create({
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    keys: {
      publicKey: key.publicKey.toCryptoKey(algorithm, true, ['verify']),
      privateKey: key.privateKey.toCryptoKey(algorithm, false, ['sign']),
    },
  });
  return `${request.toString('pem')}\n`;
}

/** The key of a certificate request, and whether who made the request has the private one: its signature is right. Throws what the library throws. */
export function readRequest(der: Buffer): { readonly publicKey: KeyObject; readonly isSigned: () => Promise<boolean> } {
  const request = new Pkcs10CertificateRequest(new Uint8Array(der));
  const spki = Buffer.from(request.publicKey.rawData);
  return {
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
    isSigned: () => request.verify(),
  };
}

function generalNames({ uris, dnsNames, ipAddresses }: AltNames): JsonGeneralNames {
  const broken = ipAddresses.find((address) => isIP(address) === 0);
  if (broken !== undefined) throw certError('issue-refused', `${JSON.stringify(broken)} is no IP address`);
  return [
    ...uris.map((value) => ({ type: 'url' as const, value })),
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
}

/** First bits 01: positive, and of one length without a leading zero, which DER forbids. */
function randomSerial(): string {
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0);
  return serial.toString('hex');
}

/** `Certificate ::= SEQUENCE { TBSCertificate ::= SEQUENCE { version [0] INTEGER DEFAULT v1, ...`; the library does not tell. */
function versionOf(der: Buffer): number {
  const version = contentOf(der, contentOf(der, 0));
  return der.readUInt8(version) === 0xa0 ? der.readUInt8(version + 4) + 1 : 1;
}

/** Where the content of the DER element at `offset` begins. */
function contentOf(der: Buffer, offset: number): number {
  const length = der.readUInt8(offset + 1);
  return offset + 2 + (length < 0x80 ? 0 : length & 0x7f);
}
