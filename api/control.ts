import { CodedError, validate, z } from '../base/index.ts';
import { apiError } from './api-error.ts';
import { errorOfStatus, statusOf } from './status.ts';

/** What an agent asks of its replica, over a stream of kind `control` or on the public listener. */
export const renewPath = '/v1/renew';
export const trustPath = '/v1/trust';

/** No request and no answer of these paths is longer. */
export const maxControlBytes = 64 * 1024;

const pem = z.string().max(32 * 1024);

const renewRequest = z.strictObject({
  /** The request for the new certificate, PEM. */
  csr: pem,
});

const expiredRenewRequest = z.strictObject({
  /** The certificate that has expired, and its issuer, PEM. */
  chain: pem,
  csr: pem,
  /** By the expired certificate's key, base64url: `renewalStatement` says over what. */
  signature: z.string().regex(/^[\w-]{1,256}$/u, 'expected base64url'),
});

const renewed = z.object({
  /** The new certificate and its issuer, PEM. */
  chain: pem,
  /** The trust bundle of the fleet, PEM below its serial and signatures. */
  trust: pem,
});

export type RenewRequest = z.output<typeof renewRequest>;
export type ExpiredRenewRequest = z.output<typeof expiredRenewRequest>;
export type Renewed = z.output<typeof renewed>;

/** Throws `object-invalid`, as the others here. */
export function parseRenewRequest(body: unknown): RenewRequest {
  return parsed(renewRequest, body);
}

export function parseExpiredRenewRequest(body: unknown): ExpiredRenewRequest {
  return parsed(expiredRenewRequest, body);
}

export function parseRenewed(body: unknown): Renewed {
  return parsed(renewed, body);
}

/** The trust bundle in the answer of `trustPath` over a control stream. */
export function parseTrustAnswer(body: unknown): string {
  return parsed(z.object({ trust: pem }), body).trust;
}

/** Encodes the answer of a control stream: the value, or the error as a Kubernetes `Status`. */
export function encodeControlAnswer(answer: object): Buffer {
  return Buffer.from(JSON.stringify(answer instanceof CodedError ? statusOf(answer) : answer));
}

/** Reads an answer. Throws the error that the replica answered with; `object-invalid` when it is no JSON. */
export function decodeControlAnswer(body: Buffer): unknown {
  const value = decodeControlBody(body);
  const failure = errorOfStatus(value);
  if (failure !== undefined) throw failure;
  return value;
}

/** Reads a body. Throws `object-invalid`. */
export function decodeControlBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw apiError('object-invalid', error instanceof Error ? error.message : '');
  }
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = validate(schema, body);
  if ('value' in result) return result.value;
  const problems = result.problems.map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`);
  throw apiError('object-invalid', problems.slice(0, 5).join('; '));
}
