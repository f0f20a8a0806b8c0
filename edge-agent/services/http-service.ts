import { messageOf } from '../../base/index.ts';
import {
  contentLength,
  endToEndHeaders,
  type HttpRequestHead,
  isIdentityHeader,
  tunnelError,
} from '../../tunnel/index.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS, type HttpServiceConfig } from './service-config.ts';
import { serviceError } from './service-error.ts';
import { UpstreamPool } from './upstream-pool.ts';

/** Half of what a HEAD record may hold, since JSON can make a head longer. */
export const MAX_UPSTREAM_HEAD_BYTES = 32 * 1024;

/** A declared HTTP service, ready for requests. */
export interface HttpService {
  readonly config: HttpServiceConfig;
  readonly secure: boolean;
  /** Without the brackets of IPv6. */
  readonly hostname: string;
  readonly port: number;
  /** What `Host` says. */
  readonly authority: string;
  /** Stands before each request's path; without a slash at its end. */
  readonly basePath: string;
  readonly tls: Readonly<Record<string, string>>;
  readonly connectTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly silenceTimeoutMs: number;
  readonly pool: UpstreamPool;
  /** What the agent itself sets, in lower case: a caller's own is dropped. */
  readonly ownNames: ReadonlySet<string>;
  /** The field that is set to the stream's principal. */
  readonly principalHeader: string | undefined;
}

/** Throws `service-invalid`. */
export function createHttpService(config: HttpServiceConfig): HttpService {
  const url = parseUrl(config);
  const secure = url.protocol === 'https:';
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  if (secure && config.allowConnect === true) {
    throw serviceError('service-invalid', {
      detail: `${config.name}: allowConnect is for http:// URLs; declare a tcp service`,
    });
  }
  const connectTimeoutMs = config.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
  const headTimeoutMs = config.headTimeoutMs ?? 300_000;
  const silenceTimeoutMs = config.silenceTimeoutMs ?? 0;
  const tls = { ...config.tls };
  const principalHeader = principalHeaderOf(config);
  const ownNames = new Set(
    [...Object.keys(config.headers ?? {}), ...(principalHeader === undefined ? [] : [principalHeader])].map((name) =>
      name.toLowerCase(),
    ),
  );
  return {
    config,
    secure,
    hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    authority: url.host,
    basePath: url.pathname.replace(/\/+$/, ''),
    tls,
    connectTimeoutMs,
    headTimeoutMs,
    silenceTimeoutMs,
    ownNames,
    principalHeader,
    pool: new UpstreamPool({
      origin: url.origin,
      socketPath: config.socketPath,
      tls,
      connectTimeoutMs,
      headTimeoutMs,
      silenceTimeoutMs,
      maxConnections: config.maxConnections ?? 1024,
      maxHeadBytes: MAX_UPSTREAM_HEAD_BYTES,
    }),
  };
}

/**
 * The fields that the service gets. The opener may be any authenticated program, not only the gateway's front, so here is where
 * nothing passes that is the connection's or the agent's to say. Throws `record-malformed`, `denied` for nobody's request where the service has to know who calls.
 */
export function upstreamHeaders(service: HttpService, head: HttpRequestHead, principal: string): string[] {
  const { ownNames, config, principalHeader } = service;
  const keepsLength = head.body === true;
  const keepsTrailer = head.trailers === true;
  const headers = endToEndHeaders(head.headers, (name) => {
    if (name === 'host' || name === 'expect') return true;
    if (name === 'content-length') return !keepsLength;
    if (name === 'trailer') return !keepsTrailer;
    return ownNames.has(name) || isIdentityHeader(name);
  });
  contentLength(headers);
  if (config.headers !== undefined)
    for (const [name, value] of Object.entries(config.headers)) headers.push(name, value);
  if (principalHeader !== undefined) {
    // A request without a user would be the agent's own.
    if (principal === '') throw tunnelError('denied', { detail: `${config.name} has to know who calls` });
    headers.push(principalHeader, principal);
  }
  return headers;
}

function principalHeaderOf({
  name,
  impersonate,
  principalHeader,
  allowConnect,
}: HttpServiceConfig): string | undefined {
  if (impersonate !== true) return principalHeader;
  const excluded =
    principalHeader !== undefined ? 'principalHeader' : allowConnect === true ? 'allowConnect' : undefined;
  if (excluded !== undefined)
    throw serviceError('service-invalid', { detail: `${name}: impersonate and ${excluded} exclude each other` });
  return 'Impersonate-User';
}

function parseUrl({ name, url }: HttpServiceConfig): URL {
  try {
    const parsed = new URL(url);
    if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') throw new TypeError('not http or https');
    if (parsed.username !== '' || parsed.search !== '' || parsed.hash !== '')
      throw new TypeError('has more than host, port and path');
    return parsed;
  } catch (cause) {
    throw serviceError('service-invalid', { detail: `${name}: url: ${messageOf(cause)}`, cause });
  }
}
