import { tunnelError } from './tunnel-error.ts';

/** Header fields as they were on the wire: name, value, name, value ...; order, case and duplicates kept; latin1 text. */
export type RawHeaders = readonly string[];

/** The head of an `http` stream, in OPEN. The method and the path are the target's `verb` and `path`. */
export interface HttpRequestHead {
  /** End-to-end fields only: no `Host`, no `Expect`, nothing that belongs to one connection. */
  readonly headers: RawHeaders;
  /** Records follow that carry a body. Without it the opener's direction is empty. Default false. */
  readonly body?: boolean;
  /** The protocol that the client asks to switch to (`Upgrade`); excludes `body`. */
  readonly upgrade?: string;
  /** The client waits for an INFO 100 before it sends its body. Default false. */
  readonly expectContinue?: boolean;
  /** The client announced trailers. Default false: trailers that come unannounced may be dropped. */
  readonly trailers?: boolean;
}

/** What HEAD and INFO records carry. */
export interface HttpResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: RawHeaders;
}

export function encodeRequestHead(head: HttpRequestHead): Buffer {
  return Buffer.from(JSON.stringify(head));
}

/** Throws `record-malformed`. */
export function decodeRequestHead(bytes: Buffer): HttpRequestHead {
  const head = parseObject(bytes);
  const { headers, body, upgrade, expectContinue, trailers } = head;
  if (!isRawHeaders(headers)) throw malformed('request headers');
  if (upgrade !== undefined && (typeof upgrade !== 'string' || upgrade === '' || body === true))
    throw malformed('upgrade');
  return {
    headers,
    body: body === true,
    expectContinue: expectContinue === true,
    trailers: trailers === true,
    ...(upgrade === undefined ? {} : { upgrade }),
  };
}

export function encodeResponseHead(head: HttpResponseHead): Buffer {
  return Buffer.from(JSON.stringify(head));
}

/** Throws `record-malformed`. */
export function decodeResponseHead(bytes: Buffer): HttpResponseHead {
  const { status, statusText, headers } = parseObject(bytes);
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 100 || status > 999)
    throw malformed('status');
  if (typeof statusText !== 'string') throw malformed('status text');
  if (!isRawHeaders(headers)) throw malformed('response headers');
  return { status, statusText, headers };
}

export function encodeTrailers(trailers: RawHeaders): Buffer {
  return Buffer.from(JSON.stringify(trailers));
}

/** Throws `record-malformed`. */
export function decodeTrailers(bytes: Buffer): RawHeaders {
  const trailers = parseJson(bytes);
  if (!isRawHeaders(trailers)) throw malformed('trailers');
  return trailers;
}

/** Fields that belong to one connection (RFC 9110, 7.6.1), and `Proxy-*`, which no hop of ours forwards. */
const perConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const COLON = 0x3a;

/**
 * The fields that go on to the next hop, as a new list that the caller may add to: without those of the connection, those
 * that `Connection` lists, HTTP/2's pseudo fields, and those that `drops` says (it is given names in lower case).
 * `TE: trailers` stays, since the next hop is asked for the trailers that this one can carry.
 */
export function endToEndHeaders(headers: RawHeaders, drops: (name: string) => boolean): string[] {
  const listed = connectionOptions(headers);
  const kept: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    const value = headers[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (lower === 'te') {
      if (acceptsTrailers(value)) kept.push(name, 'trailers');
    } else if (
      lower.charCodeAt(0) !== COLON &&
      !perConnection.has(lower) &&
      listed?.has(lower) !== true &&
      !drops(lower)
    ) {
      kept.push(name, value);
    }
  }
  return kept;
}

/** Fields in which proxies tell a service who calls. */
const identityNames = new Set([
  'client-cert',
  'client-cert-chain',
  'remote-user',
  'x-email',
  'x-groups',
  'x-principal',
  'x-user',
  'x-user-email',
  'x-user-groups',
  'x-user-id',
  'x-user-name',
  'x-user-roles',
  'x-userinfo',
  'x-username',
]);
const identityPrefixes = [
  'cf-access-',
  'impersonate-',
  'remote-user-',
  'ssl-client-',
  'tailscale-user-',
  'x-amzn-oidc-',
  'x-auth-request-',
  'x-authenticated-',
  'x-causeway-',
  'x-client-cert',
  'x-client-dn',
  'x-client-subject',
  'x-client-verify',
  'x-goog-authenticated-user-',
  'x-goog-iap-',
  'x-ms-client-principal',
  'x-ms-token-',
  'x-remote-',
  'x-spiffe-',
  'x-ssl-',
  'x-tls-client-',
  'x-webauth-',
];
const FORWARDED = 'x-forwarded-';
/** The fields of `X-Forwarded-*` that tell how a request came; all others of the name tell who sent it. */
const originParts = new Set(['for', 'host', 'port', 'prefix', 'proto', 'scheme', 'server']);

/**
 * One spelling for all that servers may read as one name: CGI and what came of it know letters and digits only, and turn every other
 * character into the same one. The name is in lower case.
 */
export function plainHeaderName(name: string): string {
  return /[^a-z0-9-]/.test(name) ? name.replaceAll(/[^a-z0-9]/g, '-') : name;
}

/**
 * Whether services are used to believe that a proxy wrote this field (name in lower case) about who the caller is: it may
 * never come from outside, in whatever spelling.
 */
export function isIdentityHeader(name: string): boolean {
  const plain = plainHeaderName(name);
  if (plain.startsWith(FORWARDED)) return !originParts.has(plain.slice(FORWARDED.length));
  return identityNames.has(plain) || identityPrefixes.some((prefix) => plain.startsWith(prefix));
}

/** Fields that mean something before a body is read, or say who sent it: as trailers they would come past whoever checked the head. */
const neverTrailers = new Set([
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'max-forwards',
  'range',
  'te',
  'trailer',
]);

/** The trailers of a request that go on to the next hop (RFC 9110, 6.5.1); `drops` as for `endToEndHeaders`. */
export function endToEndTrailers(trailers: RawHeaders, drops: (name: string) => boolean = () => false): string[] {
  return endToEndHeaders(trailers, (name) => {
    const plain = plainHeaderName(name);
    return neverTrailers.has(plain) || plain.startsWith(FORWARDED) || isIdentityHeader(plain) || drops(name);
  });
}

/** The value of a field that may stand once; undefined when it is absent. Throws `record-malformed` when it stands twice. */
export function singleHeader(headers: RawHeaders, name: string): string | undefined {
  let found: string | undefined;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() !== name) continue;
    if (found !== undefined) throw malformed(`${name} stands twice`);
    found = headers[index + 1];
  }
  return found;
}

/** The declared length of a body; undefined when none is declared. Throws `record-malformed` on anything but one decimal number. */
export function contentLength(headers: RawHeaders): number | undefined {
  const text = singleHeader(headers, 'content-length');
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw malformed('content-length');
  return Number(text);
}

/**
 * Whether every server reads this path (with or without its query) the same way. A dot segment does not pass in any spelling
 * (`%2e`, behind `%2f` or `%5c`), since policy is decided by the path and a server would walk up from it; nor does a NUL, a
 * broken escape, or what a request target may not hold at all (RFC 9112, 3.2).
 */
export function isPlainPath(target: string): boolean {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  if (!path.startsWith('/') || !/^[\x21-\x7e]*$/.test(target) || /[#\\]/.test(target)) return false;
  if (!path.includes('%') && !path.includes('/.')) return true;
  if (/%(?![0-9a-f]{2})|%00/i.test(path)) return false;
  const plain = path.replace(/%2e/gi, '.').replace(/%2f|%5c/gi, '/');
  return !/\/\.{1,2}(?:[/;]|$)/.test(plain);
}

function connectionOptions(headers: RawHeaders): Set<string> | undefined {
  let listed: Set<string> | undefined;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? '';
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const option of (headers[index + 1] ?? '').split(',')) (listed ??= new Set()).add(option.trim().toLowerCase());
  }
  return listed;
}

function acceptsTrailers(value: string): boolean {
  return /(?:^|,)\s*trailers\s*(?:[,;]|$)/i.test(value);
}

function isRawHeaders(value: unknown): value is string[] {
  return Array.isArray(value) && value.length % 2 === 0 && value.every((item) => typeof item === 'string');
}

function parseObject(bytes: Buffer): Partial<Record<string, unknown>> {
  const value = parseJson(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('not an object');
  return { ...value };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (cause) {
    throw tunnelError('record-malformed', { detail: 'not JSON', cause });
  }
}

function malformed(detail: string): Error {
  return tunnelError('record-malformed', { detail });
}
