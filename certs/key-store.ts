import { createPrivateKey, randomBytes, type X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { certError } from './cert-error.ts';
import { encryptKey, isEncryptedKey, openKey, readPassword } from './encrypted-key.ts';
import type { Identity } from './identity.ts';
import { identityIn } from './leaf-policy.ts';
import { parseCertificates } from './pem.ts';
import type { TlsCredentials } from './tls-options.ts';
import { parseTrustBundle, type TrustBundle } from './trust-bundle.ts';
import { readCertificate } from './x509.ts';

/** No file of a key store is near this long. */
const maxFileBytes = 256 * 1024;

const files = { cert: 'cert.pem', key: 'key.pem', nextKey: 'key.next.pem', trust: 'ca.pem' } as const;

/** What a key store's directory holds. */
export interface KeyStore extends TlsCredentials {
  readonly identity: Identity;
  readonly leaf: X509Certificate;
  /** The file with the password of `key.pem`, where that is encrypted: a new key is to be saved with it. */
  readonly passwordFile?: string;
}

export interface KeyStoreContent {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly trustPem: string;
}

/**
 * Writes `cert.pem` (the leaf and its issuer), `key.pem` (mode 0600) and `ca.pem`. Each file is replaced by rename. A crash
 * between two of them is survived: the new key waits as `key.next.pem` until the certificate that belongs to it is there.
 *
 *     key.next.pem written → cert.pem replaced → key.next.pem renamed to key.pem
 *        (old pair holds)       (new pair holds: the loader takes key.next.pem)
 *
 * With `passwordFile` the key is encrypted with the password that stands in there. Throws `key-password`.
 */
export async function saveKeyStore(
  directory: string,
  { chainPem, keyPem, trustPem }: KeyStoreContent,
  passwordFile?: string,
): Promise<void> {
  const savedKey = passwordFile === undefined ? keyPem : encryptKey(keyPem, await readPassword(passwordFile));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await replaceFile(directory, files.trust, trustPem, 0o644);
  await replaceFile(directory, files.nextKey, savedKey, 0o600);
  await replaceFile(directory, files.cert, chainPem, 0o644);
  await rename(join(directory, files.nextKey), join(directory, files.key));
  await syncDirectory(directory);
}

/** Replaces the trust bundle alone, when a root is rolled. */
export async function saveTrust(directory: string, trustPem: string): Promise<void> {
  await replaceFile(directory, files.trust, trustPem, 0o644);
}

/**
 * Reads a key store. Validity is not looked at: an expired certificate still renews, and a machine's clock may be wrong.
 * An encrypted key is decrypted with the password in `passwordFile`, by default the file that the variable
 * `CAUSEWAY_KEY_PASSWORD` names. Throws `key-store-missing`, `key-store-invalid` or `key-password`, naming the file and the reason.
 */
export async function loadKeyStore(
  directory: string,
  passwordFile: string | undefined = process.env['CAUSEWAY_KEY_PASSWORD'] || undefined,
): Promise<KeyStore> {
  const trust = trustIn(join(directory, files.trust), await readBounded(join(directory, files.trust)));
  const certFile = join(directory, files.cert);
  const chainPem = await readBounded(certFile);
  const { leaf, identity } = leafIn(certFile, chainPem, trust);
  return { chainPem, ...(await keyFor(directory, leaf, passwordFile)), trust, identity, leaf };
}

function trustIn(file: string, pem: string): TrustBundle {
  try {
    return parseTrustBundle(pem);
  } catch (error) {
    throw certError('key-store-invalid', file, error);
  }
}

function leafIn(file: string, pem: string, trust: TrustBundle): { leaf: X509Certificate; identity: Identity } {
  try {
    const [leaf, issuer] = parseCertificates(pem);
    if (leaf === undefined || issuer === undefined) throw new Error('it has to hold the certificate and its issuer');
    if (!leaf.checkIssued(issuer)) throw new Error('the second certificate is not the issuer of the first');
    const identity = identityIn(readCertificate(leaf.raw));
    if (identity.trustDomain !== trust.trustDomain)
      throw new Error(`it is of ${identity.trustDomain}, the roots are of ${trust.trustDomain}`);
    return { leaf, identity };
  } catch (error) {
    throw certError('key-store-invalid', file, error);
  }
}

type StoredKey = Pick<KeyStore, 'keyPem' | 'passwordFile'>;

async function keyFor(directory: string, leaf: X509Certificate, passwordFile: string | undefined): Promise<StoredKey> {
  const next = join(directory, files.nextKey);
  if (await exists(next)) {
    const key = await readKey(next, passwordFile);
    // The crash came after the certificate was replaced: the new key is the one.
    if (belongs(next, leaf, key.keyPem)) return key;
  }
  const file = join(directory, files.key);
  const key = await readKey(file, passwordFile);
  if (!belongs(file, leaf, key.keyPem))
    throw certError('key-store-invalid', `${file}: it is not the key of ${files.cert}`);
  return key;
}

async function readKey(file: string, passwordFile: string | undefined): Promise<StoredKey> {
  const text = await readBounded(file);
  const keyPem = await openKey(text, file, passwordFile);
  return passwordFile !== undefined && isEncryptedKey(text) ? { keyPem, passwordFile } : { keyPem };
}

function belongs(file: string, leaf: X509Certificate, keyPem: string): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(keyPem));
  } catch (error) {
    throw certError('key-store-invalid', file, error);
  }
}

async function readBounded(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxFileBytes) throw certError('key-store-invalid', `${file}: longer than ${maxFileBytes} bytes`);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw certError('key-store-missing', file, error);
    throw error;
  }
}

async function replaceFile(directory: string, name: string, content: string, mode: number): Promise<void> {
  const temporary = join(directory, `.${name}.${randomBytes(6).toString('hex')}`);
  try {
    await using handle = await open(temporary, 'wx', mode);
    await handle.writeFile(content);
    await handle.sync();
    await rename(temporary, join(directory, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

/** A rename is durable when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}
