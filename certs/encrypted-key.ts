import { createCipheriv, createPrivateKey, pbkdf2Sync, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';

import { certError } from './cert-error.ts';
import { derElement, derInteger, derOctets, derOid, derSequence } from './der.ts';

/** OWASP's number for PBKDF2 with SHA-256; OpenSSL's own, which node would take, is 2,048. */
const iterations = 600_000;
const maxPasswordBytes = 1024;

const encryptedBlock = /^-----BEGIN ENCRYPTED PRIVATE KEY-----/mu;

/** Whether a key of PEM needs a password. */
export function isEncryptedKey(keyPem: string): boolean {
  return encryptedBlock.test(keyPem);
}

/**
 * The key that `file` holds, whether it is encrypted or not. Its password stands in `passwordFile`, by default the file that the
 * variable `CAUSEWAY_KEY_PASSWORD` names. Throws `key-password`.
 */
export async function openKey(
  keyPem: string,
  file: string,
  passwordFile: string | undefined = process.env['CAUSEWAY_KEY_PASSWORD'] || undefined,
): Promise<string> {
  if (!isEncryptedKey(keyPem)) return keyPem;
  if (passwordFile === undefined) throw certError('key-password', `${file} is encrypted`);
  return decryptKey(keyPem, await readPassword(passwordFile), file);
}

/** A key as encrypted PKCS#8 (RFC 5958, PBES2 of RFC 8018): PEM that OpenSSL reads. */
export function encryptKey(keyPem: string, password: string): string {
  const lines =
    encryptKeyDer(keyPem, password)
      .toString('base64')
      .match(/.{1,64}/gu) ?? [];
  return ['-----BEGIN ENCRYPTED PRIVATE KEY-----', ...lines, '-----END ENCRYPTED PRIVATE KEY-----', ''].join('\n');
}

/**
 * The same as DER: AES-256-CBC with a key that PBKDF2 makes of the password.
 *
 *   EncryptedPrivateKeyInfo ::= SEQUENCE { PBES2 { PBKDF2 { salt, iterations, 32, hmacWithSHA256 }, aes256-CBC { iv } }, OCTET STRING }
 */
export function encryptKeyDer(keyPem: string, password: string): Buffer {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(password, salt, iterations, 32, 'sha256'), iv);
  const key = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  const digest = derSequence(derOid('1.2.840.113549.2.9'), derElement(0x05));
  const derivation = derSequence(
    derOid('1.2.840.113549.1.5.12'),
    derSequence(derOctets(salt), derInteger(iterations), derInteger(32), digest),
  );
  const encryption = derSequence(derOid('2.16.840.1.101.3.4.1.42'), derOctets(iv));
  const scheme = derSequence(derOid('1.2.840.113549.1.5.13'), derSequence(derivation, encryption));
  return derSequence(scheme, derOctets(Buffer.concat([cipher.update(key), cipher.final()])));
}

/** The plain PKCS#8 PEM of an encrypted key, which `file` holds. Throws `key-password`. */
export function decryptKey(keyPem: string, password: string, file: string): string {
  try {
    return String(createPrivateKey({ key: keyPem, passphrase: password }).export({ type: 'pkcs8', format: 'pem' }));
  } catch (error) {
    // Nobody can tell a wrong password from wrong bytes: both come out as something that is no key.
    throw certError('key-password', `it does not open ${file}`, error);
  }
}

/** The first line of a file, without its end. Throws `key-password`. */
export async function readPassword(file: string): Promise<string> {
  const [line = ''] = (await readShort(file)).split(/\r?\n/u, 1);
  if (line === '') throw certError('key-password', `${file} is empty`);
  return line;
}

async function readShort(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const buffer = Buffer.alloc(maxPasswordBytes + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    if (bytesRead > maxPasswordBytes)
      throw certError('key-password', `${file} is longer than ${maxPasswordBytes} bytes`);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw certError('key-password', `${file} cannot be read`, error);
    throw error;
  }
}
