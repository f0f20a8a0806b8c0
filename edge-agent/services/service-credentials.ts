import { createPrivateKey, X509Certificate } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../../base/index.ts';
import { parseKubeconfig, type KubeconfigEntry, type Source } from './kubeconfig-file.ts';
import type { HttpServiceConfig } from './service-config.ts';
import { serviceError } from './service-error.ts';

/** How the agent reaches a service and who it is there, as its configuration and the files that this names say now. */
export interface ServiceCredentials {
  readonly url: string;
  /** For each request, over what callers send. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Readonly<Record<string, string>>;
  /** Files that were read. */
  readonly files: readonly string[];
}

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads what a service's configuration names. Throws `service-invalid`, where it contradicts itself, and `credentials-invalid` for
 * a file that is missing, or is not what it has to be.
 */
export function readCredentials(config: HttpServiceConfig): ServiceCredentials {
  const { name, url, tokenFile, kubeconfig, headers = {}, tls = {} } = config;
  const hasKube = kubeconfig !== undefined;
  if (hasKube && [url, tokenFile, config.tls].some((given) => given !== undefined))
    throw serviceError('service-invalid', { detail: `${name}: kubeconfig stands in place of url, tokenFile and tls` });
  const files: string[] = [];
  const attempt = <T>(file: string, read: () => T): T => {
    try {
      files.push(file);
      return read();
    } catch (cause) {
      throw serviceError('credentials-invalid', { detail: `${name}: ${file}: ${messageOf(cause)}`, cause });
    }
  };
  const textOf = (source: Source): string =>
    'text' in source ? source.text : attempt(source.file, () => readText(source.file));

  const entry: KubeconfigEntry = hasKube
    ? attempt(kubeconfig, () => parseKubeconfig(readText(kubeconfig), kubeconfig))
    : declared(config);
  const token = entry.token === undefined ? undefined : textOf(entry.token).trim();
  if (token !== undefined && !/^[\x21-\x7e]+$/u.test(token))
    throw serviceError('credentials-invalid', {
      detail: `${name}: the token is empty, or not one line of visible characters`,
    });
  const pem: Record<string, string> = {};
  for (const part of ['ca', 'cert', 'key'] as const) {
    const source = entry[part];
    if (source !== undefined) pem[part] = textOf(source);
  }
  checkPem(name, pem);
  const servername = entry.servername ?? tls.servername;
  const authorization = Object.keys(headers).some((field) => field.toLowerCase() === 'authorization');
  if (token !== undefined && authorization)
    throw serviceError('service-invalid', { detail: `${name}: a token and headers.Authorization exclude each other` });
  return {
    url: entry.server,
    headers: token === undefined ? headers : { ...headers, Authorization: `Bearer ${token}` },
    tls: { ...pem, ...(servername === undefined ? {} : { servername }) },
    files: [...new Set(files)],
  };
}

/** The same from the keys of the configuration. */
function declared({ name, url, tokenFile, tls = {} }: HttpServiceConfig): KubeconfigEntry {
  if (url === undefined) throw serviceError('service-invalid', { detail: `${name}: url is missing` });
  const either = (part: 'ca' | 'cert' | 'key'): Source | undefined => {
    const text = tls[part];
    const file = tls[`${part}File`];
    if (text !== undefined && file !== undefined)
      throw serviceError('service-invalid', { detail: `${name}: tls.${part} and tls.${part}File exclude each other` });
    if (file !== undefined) return { file };
    return text === undefined ? undefined : { text };
  };
  const [ca, cert, key] = [either('ca'), either('cert'), either('key')];
  return {
    server: url,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tokenFile === undefined ? {} : { token: { file: tokenFile } }),
  };
}

/** A key that does not belong to its certificate would be noticed at the first request only; so would half of a file. */
function checkPem(name: string, { ca, cert, key }: Readonly<Record<string, string>>): void {
  if ((cert === undefined) !== (key === undefined))
    throw serviceError('service-invalid', {
      detail: `${name}: a client certificate needs its key, and a key its certificate`,
    });
  try {
    if (ca !== undefined) readCertificate(ca);
    if (cert === undefined || key === undefined) return;
    if (!readCertificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw new TypeError('the key is not the one of the certificate');
  } catch (cause) {
    throw serviceError('credentials-invalid', { detail: `${name}: ${messageOf(cause)}`, cause });
  }
}

/** Throws for what is no certificate. */
function readCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

function readText(file: string): string {
  const handle = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(MAX_FILE_BYTES + 1);
    let length = 0;
    for (;;) {
      const read = readSync(handle, buffer, length, buffer.length - length, null);
      length += read;
      if (length > MAX_FILE_BYTES) throw new RangeError(`longer than ${MAX_FILE_BYTES} bytes`);
      if (read === 0) return buffer.toString('utf8', 0, length);
    }
  } finally {
    closeSync(handle);
  }
}
