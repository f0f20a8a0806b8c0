import type { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { TLSSocket } from 'node:tls';
import { CodedError, codeOf, messageOf } from '../../base/index.ts';
import { certError, clientTls, parseTrustBundle, pinOfRoot, type TrustBundle } from '../../certs/index.ts';
import { dialTarget } from '../../tunnel/index.ts';
import { enrolError } from './enrol-error.ts';
import { presentedChain } from './presented-chain.ts';

export interface GatewayDoorOptions {
  /** A replica's public listener, `host:port`. */
  readonly gateway: string;
  /** `pinOfRoot` of the root that the token names. */
  readonly pin: string;
  /** A PEM file in which this root stands; without it the gateway shows the root in its handshake. */
  readonly caFile?: string | undefined;
  readonly proxy?: string | undefined;
}

/**
 * Connects to the gateway that a token is from. The root whose key has the token's pin is looked for in the file, or among the
 * certificates of a handshake that is broken off then; the connection that comes of it is an ordinary verified one that trusts
 * this root alone. Before that nothing is sent. Errors: `gateway-unreachable`, `gateway-foreign`, `clock-wrong`, `trust-invalid` for a
 * file that cannot be used.
 */
export async function connectPinned(
  options: GatewayDoorOptions,
): Promise<{ readonly socket: TLSSocket; readonly root: X509Certificate }> {
  const { gateway, pin, caFile, proxy } = options;
  const trust = caFile === undefined ? await shownRoot(options) : await rootInFile(caFile, pin);
  const [root] = trust.roots;
  try {
    const socket = await dialTarget(gateway, clientTls({ trust }), proxy);
    if (socket instanceof TLSSocket && root !== undefined) return { socket, root };
    throw enrolError('gateway-foreign', { detail: gateway });
  } catch (error) {
    throw await explained(error, options);
  }
}

async function shownRoot({ gateway, pin, proxy }: GatewayDoorOptions): Promise<TrustBundle> {
  let chain: readonly X509Certificate[];
  try {
    chain = await presentedChain(gateway, proxy);
  } catch (error) {
    throw unreachable(gateway, error);
  }
  const root = chain.find((certificate) => pinOfRoot(certificate) === pin);
  if (root === undefined)
    throw enrolError('gateway-foreign', { detail: `${gateway} shows no root with the pin of the token` });
  return trustIn(root.toString(), gateway);
}

async function rootInFile(file: string, pin: string): Promise<TrustBundle> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw certError('trust-invalid', `${file}: ${messageOf(error)}`, error);
  }
  const root = trustIn(text, file).roots.find((each) => pinOfRoot(each) === pin);
  if (root === undefined)
    throw enrolError('gateway-foreign', { detail: `no root in ${file} has the pin of the token` });
  return trustIn(root.toString(), file);
}

function trustIn(pem: string, from: string): TrustBundle {
  try {
    return parseTrustBundle(pem);
  } catch (error) {
    throw certError('trust-invalid', `${from}: ${messageOf(error)}`, error);
  }
}

const timeCodes = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED', 'cert-not-yet-valid', 'cert-expired']);
const unreachableCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
]);

/** What a handshake that failed means for who enrols. */
async function explained(error: unknown, { gateway, proxy }: GatewayDoorOptions): Promise<CodedError> {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = codeOf(cause);
  if (timeCodes.has(code)) return clockWrong(await presentedChain(gateway, proxy).catch(() => []), error);
  if (error instanceof CodedError && error.code !== 'link-refused') return error;
  if (cause === undefined || unreachableCodes.has(code)) return unreachable(gateway, error);
  return enrolError('gateway-foreign', { detail: `${gateway}: ${messageOf(cause)}`, cause });
}

function unreachable(gateway: string, error: unknown): CodedError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return enrolError('gateway-unreachable', { detail: `${gateway}: ${messageOf(cause)}`, cause });
}

/** Names both times; which certificate is out of its time does not matter to who reads it. */
function clockWrong(chain: readonly X509Certificate[], cause: unknown): CodedError {
  const now = new Date();
  const wrong = chain.find(({ validFromDate, validToDate }) => now < validFromDate || now > validToDate) ?? chain[0];
  const validity =
    wrong === undefined
      ? ''
      : `, the certificate is valid from ${time(wrong.validFromDate)} to ${time(wrong.validToDate)}`;
  return enrolError('clock-wrong', { detail: `here it is ${time(now)}${validity}`, cause });
}

function time(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/u, 'Z');
}
