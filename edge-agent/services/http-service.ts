import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../../base/index.ts';
import {
  contentLength,
  endToEndHeaders,
  type HttpRequestHead,
  isIdentityHeader,
  plainHeaderName,
  tunnelError,
} from '../../tunnel/index.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS, type HttpServiceConfig } from './service-config.ts';
import { readCredentials, type ServiceCredentials } from './service-credentials.ts';
import { serviceError } from './service-error.ts';
import { UpstreamPool } from './upstream-pool.ts';

/** Half of what a HEAD record may hold, since JSON can make a head longer. */
export const MAX_UPSTREAM_HEAD_BYTES = 32 * 1024;

/** Where a service is, and what the agent shows there, as it is now. */
export interface Upstream {
  readonly secure: boolean;
  /** Without the brackets of IPv6. */
  readonly hostname: string;
  readonly port: number;
  /** What `Host` says. */
  readonly authority: string;
  /** Stands before each request's path; without a slash at its end. */
  readonly basePath: string;
  readonly tls: Readonly<Record<string, string>>;
  /** Fields that the agent sets on each request. */
  readonly injected: Readonly<Record<string, string>>;
  readonly pool: UpstreamPool;
}

/** A declared HTTP service, ready for requests. */
export class HttpService {
  readonly config: HttpServiceConfig;
  readonly connectTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly silenceTimeoutMs: number;
  /** What the agent itself sets, and what is not the caller's to say here, by `plainHeaderName`: a caller's own is dropped. */
  readonly ownNames: ReadonlySet<string>;
  /** The field that is set to the stream's principal. */
  readonly principalHeader: string | undefined;
  #credentials: ServiceCredentials;
  #upstream: Upstream;

  /** Throws `service-invalid`, `credentials-invalid`. */
  constructor(config: HttpServiceConfig) {
    this.config = config;
    this.connectTimeoutMs = config.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.headTimeoutMs = config.headTimeoutMs ?? 300_000;
    this.silenceTimeoutMs = config.silenceTimeoutMs ?? 0;
    this.principalHeader = principalHeaderOf(config);
    this.#credentials = readCredentials(config);
    this.ownNames = ownNamesOf(config, this.#credentials, this.principalHeader);
    this.#upstream = this.#open(this.#credentials, undefined);
  }

  get upstream(): Upstream {
    return this.#upstream;
  }

  /** Files to look at for changes. */
  get files(): readonly string[] {
    return this.#credentials.files;
  }

  /**
   * Reads the files again. True when requests from now on go out with something else; what is under way ends as it began. Throws
   * `credentials-invalid`, and what was read before stays in use.
   */
  reload(): boolean {
    const credentials = readCredentials(this.config);
    if (isDeepStrictEqual(credentials, this.#credentials)) return false;
    const isSamePlace =
      credentials.url === this.#credentials.url && isDeepStrictEqual(credentials.tls, this.#credentials.tls);
    // Connections that are there were made with these, so they may stay.
    const upstream = this.#open(credentials, isSamePlace ? this.#upstream.pool : undefined);
    const old = this.#upstream;
    this.#credentials = credentials;
    this.#upstream = upstream;
    if (old.pool !== upstream.pool) void old.pool.close();
    return true;
  }

  #open({ url: text, headers, tls }: ServiceCredentials, pool: UpstreamPool | undefined): Upstream {
    const { config, connectTimeoutMs, headTimeoutMs, silenceTimeoutMs } = this;
    const url = parseUrl(config.name, text);
    const secure = url.protocol === 'https:';
    if (secure && config.allowConnect === true) {
      throw serviceError('service-invalid', {
        detail: `${config.name}: allowConnect is for http:// URLs; declare a tcp service`,
      });
    }
    return {
      secure,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      authority: url.host,
      basePath: url.pathname.replace(/\/+$/, ''),
      tls,
      injected: headers,
      pool:
        pool ??
        new UpstreamPool({
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
}

/**
 * The fields that the service gets. The opener may be any authenticated program, not only the gateway's front, so here is where
 * nothing passes that is the connection's or the agent's to say. Throws `record-malformed`, `denied` for nobody's request where the service has to know who calls.
 */
export function upstreamHeaders(service: HttpService, head: HttpRequestHead, principal: string): string[] {
  const { ownNames, config, principalHeader, upstream } = service;
  const keepsLength = head.body === true;
  const keepsTrailer = head.trailers === true;
  const headers = endToEndHeaders(head.headers, (name) => {
    if (name === 'host' || name === 'expect') return true;
    if (name === 'content-length') return !keepsLength;
    if (name === 'trailer') return !keepsTrailer;
    const plain = plainHeaderName(name);
    return ownNames.has(plain) || isIdentityHeader(plain);
  });
  contentLength(headers);
  for (const [name, value] of Object.entries(upstream.injected)) headers.push(name, value);
  if (principalHeader !== undefined) {
    // A request without a user would be the agent's own.
    if (principal === '') throw tunnelError('denied', { detail: `${config.name} has to know who calls` });
    headers.push(principalHeader, principal);
  }
  return headers;
}

function ownNamesOf(
  { name, passAuthorization }: HttpServiceConfig,
  { headers, tls }: ServiceCredentials,
  principalHeader: string | undefined,
): ReadonlySet<string> {
  const set = [...Object.keys(headers), ...(principalHeader === undefined ? [] : [principalHeader])];
  const names = new Set(['forwarded', ...set.map((own) => plainHeaderName(own.toLowerCase()))]);
  // A server may take either for who calls.
  if (passAuthorization === true && (names.has('authorization') || tls['cert'] !== undefined))
    throw serviceError('service-invalid', {
      detail: `${name}: passAuthorization is for services that the agent has no credentials for`,
    });
  return passAuthorization === true ? names : names.add('authorization');
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

function parseUrl(name: string, url: string): URL {
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
