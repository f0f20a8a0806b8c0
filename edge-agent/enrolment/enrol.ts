import type { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeControlAnswer, enrolPath, parseEnrolAnswer, type EnrolAnswer } from '../../api/index.ts';
import { CodedError, codeOf, isDnsLabel, messageOf } from '../../base/index.ts';
import {
  checkChain,
  identityName,
  keyPinOf,
  keyPinOfKey,
  loadKeyStore,
  makeCertificateRequest,
  parseChain,
  parseJoinToken,
  parseTrustBundle,
  pinOfRoot,
  readCertificateRequest,
  saveKeyStore,
  type JoinToken,
  type KeyStore,
} from '../../certs/index.ts';
import { proxyFromEnvironment } from '../../tunnel/index.ts';
import { askPublicListener, hostOf } from '../control/index.ts';
import { enrolError } from './enrol-error.ts';
import { connectPinned } from './gateway-door.ts';

export interface EnrolOptions {
  /** A replica's public listener, `host:port`. */
  readonly gateway: string;
  readonly token: string;
  /** The edge's name; needed for a token that is for labels. */
  readonly edge?: string | undefined;
  /** The folder of the key store. */
  readonly keys: string;
  /** See `GatewayDoorOptions`. */
  readonly caFile?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** Called with what the edge is to connect to, before the keys are written: a machine that has its keys has its configuration. */
  readonly configure?: (answer: { readonly edge: string; readonly gateways: readonly string[] }) => Promise<void>;
}

/** What came of it. */
export interface Enrolled {
  readonly edge: string;
  /** False: the keys were there and are good; nothing was sent, and nothing was changed. */
  readonly isNew: boolean;
  readonly validTo: Date;
}

/** The key of an enrolment that is under way. It outlives an answer that is lost, so that the token still counts for it. */
const pendingFile = 'enrol.key.pem';
const MAX_TRIES = 4;
const MAX_WAIT_MS = 30_000;

/**
 * Enrols this machine: makes its key, has the gateway issue a certificate for it, and writes the key store. The key never leaves the
 * machine, and nothing is sent before the gateway has shown that it is the one that the token is from. A key store that is there
 * and good is kept. Errors: those of `enrolCodes`, `token-malformed`, `key-store-invalid`.
 */
export async function enrol(options: EnrolOptions): Promise<Enrolled> {
  const token = parseJoinToken(options.token);
  const { edge, keys } = options;
  if (edge !== undefined && !isDnsLabel(edge))
    throw enrolError('enrolled-otherwise', { detail: `${JSON.stringify(edge)} is no name of an edge` });
  const kept = await goodKeys(keys, token, edge);
  if (kept !== undefined) return kept;

  const { csrPem, keyPem } = await pendingRequest(keys);
  const body = { token: token.text, csr: csrPem, ...(edge === undefined ? {} : { edge }) };
  const answer = await askUntilAnswered(options, token, body);
  const leaf = await usableLeaf(answer, { csrPem, token, edge });
  await options.configure?.({ edge: answer.edge, gateways: gatewaysOf(answer, options.gateway) });
  await saveKeyStore(keys, { chainPem: answer.chain, keyPem, trustPem: answer.trust });
  await rm(join(keys, pendingFile), { force: true });
  return { edge: answer.edge, isNew: true, validTo: leaf.validToDate };
}

/** What is there, where it is what was asked for and has not expired. */
async function goodKeys(folder: string, { pin }: JoinToken, wanted: string | undefined): Promise<Enrolled | undefined> {
  let keys: KeyStore;
  try {
    keys = await loadKeyStore(folder);
  } catch (error) {
    if (codeOf(error) === 'key-store-missing') return undefined;
    throw enrolError('enrolled-otherwise', { detail: messageOf(error), cause: error });
  }
  const name = identityName(keys.identity);
  const edge = name.replace(/^edge\//u, '');
  if (keys.identity.kind !== 'edge' || (wanted !== undefined && wanted !== edge))
    throw enrolError('enrolled-otherwise', { detail: `${folder} has those of ${name}` });
  if (!keys.trust.roots.some((root) => pinOfRoot(root) === pin))
    throw enrolError('enrolled-otherwise', { detail: `${folder} has those of ${name} in another fleet` });
  const validTo = keys.leaf.validToDate;
  return validTo.getTime() > Date.now() ? { edge, isNew: false, validTo } : undefined;
}

/** A request with the key that is waiting since an earlier try, or with a new one, which waits from now on. */
async function pendingRequest(folder: string): ReturnType<typeof makeCertificateRequest> {
  const file = join(folder, pendingFile);
  try {
    return await makeCertificateRequest(await readFile(file, 'utf8'));
  } catch {
    // Missing, or damaged: nothing was issued for it that anybody has.
  }
  const request = await makeCertificateRequest();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, request.keyPem, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return request;
}

/** Asks again where the gateway says so, and where its answer was lost: the same key gets the same answer for the token. */
async function askUntilAnswered(options: EnrolOptions, { pin }: JoinToken, body: object): Promise<EnrolAnswer> {
  const { gateway, caFile, env = process.env } = options;
  const proxy = proxyFromEnvironment(gateway, env);
  for (let tries = 1; ; tries += 1) {
    const { socket } = await connectPinned({ gateway, pin, caFile, proxy });
    try {
      const answer = await askPublicListener(socket, gateway, 'POST', enrolPath, JSON.stringify(body));
      return parseEnrolAnswer(decodeControlAnswer(answer));
    } catch (error) {
      const waitMs = waitFor(error);
      if (waitMs === undefined) throw refusal(error);
      if (tries === MAX_TRIES) throw enrolError('enrol-busy', { detail: messageOf(error), cause: error });
      await delay(waitMs);
    } finally {
      socket.destroy();
    }
  }
}

/** How long to wait before the same is asked again; undefined: it would be no use. */
function waitFor(error: unknown): number | undefined {
  if (!(error instanceof CodedError) || !error.retryable) return undefined;
  return Math.min(error.retryAfterMs ?? 1000, MAX_WAIT_MS);
}

function refusal(error: unknown): CodedError {
  if (!(error instanceof CodedError) || error.status !== 403)
    return enrolError('answer-unusable', { detail: messageOf(error), cause: error });
  // Without a reason the gateway does not know the token, and says nothing to who does not know it either.
  const detail = error.code === 'refused' ? 'it does not know this token; is it whole?' : messageOf(error);
  return enrolError('enrol-refused', { detail, cause: error });
}

/** The certificate of an answer that is what was asked for: nothing else is ever written. */
async function usableLeaf(
  { edge, chain, trust }: EnrolAnswer,
  asked: { readonly csrPem: string; readonly token: JoinToken; readonly edge: string | undefined },
): Promise<X509Certificate> {
  try {
    const bundle = parseTrustBundle(trust);
    const { leaf, issuer } = parseChain(chain);
    const identity = checkChain(leaf, issuer, { trust: bundle, kinds: ['edge'], now: Date.now() });
    const isNamed = identity.kind === 'edge' && identity.id === edge && (asked.edge ?? edge) === edge;
    if (!isNamed) throw new Error(`it is for ${identityName(identity)}`);
    if (keyPinOf(leaf) !== keyPinOfKey(await readCertificateRequest(asked.csrPem)))
      throw new Error('it is for another key');
    if (!bundle.roots.some((root) => pinOfRoot(root) === asked.token.pin))
      throw new Error('its roots are not those of the token');
    return leaf;
  } catch (error) {
    const isTime = ['cert-not-yet-valid', 'cert-expired'].includes(codeOf(error));
    const detail = isTime ? `here it is ${new Date().toISOString()}; ${messageOf(error)}` : messageOf(error);
    throw enrolError(isTime ? 'clock-wrong' : 'answer-unusable', { detail, cause: error });
  }
}

function gatewaysOf({ gateways, linkPort }: EnrolAnswer, gateway: string): readonly string[] {
  if (gateways.length > 0) return gateways;
  const host = hostOf(gateway);
  return [host.includes(':') ? `[${host}]:${linkPort}` : `${host}:${linkPort}`];
}
