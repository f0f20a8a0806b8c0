import { validate, z } from '../base/index.ts';
import { apiError } from './api-error.ts';

/** Paths of the public listener, besides `renewPath` and `trustPath`. */
export const enrolPath = '/v1/enrol';
export const bootstrapPath = '/v1/bootstrap.sh';
/** Followed by what is asked for: `linux-x64`, `linux-x64.gz`, `linux-x64.sha256`. */
export const agentFilesPath = '/v1/agent/';

/** Where an operator has a join token made: POST, on the API. */
export const tokensPath = '/v1/tokens';

const name = z.string().min(1).max(63);
const pem = z.string().max(32 * 1024);
const address = z.string().regex(/^[\w.:[\]-]{1,260}:\d{1,5}$/u, 'is not host:port');

/** What an edge sends to enrol. */
const enrolRequest = z.strictObject({
  token: z.string().max(256),
  /** The name that the edge wants; a token for one edge needs none. */
  edge: name.optional(),
  /** PKCS#10, PEM; names in it do not count. */
  csr: z.string().max(8 * 1024),
});

/** What it gets. Lenient, since the replica may be newer than the agent. */
const enrolAnswer = z.looseObject({
  edge: name,
  /** PEM: the leaf, then its issuer. */
  chain: pem,
  /** PEM: the roots. */
  trust: pem,
  /** Link listeners, `host:port`; empty: this host, on `linkPort`. */
  gateways: z.array(address).max(64),
  linkPort: z.int().min(0).max(65_535),
});

/** What `POST /v1/tokens` answers with: the one time that the token is told. */
const madeToken = z.looseObject({
  /** The object's name, `t-ID`. */
  name,
  token: z.string().max(256),
  expiresAt: z.string(),
  /** PEM: the root that the token pins. */
  root: pem,
  /** Public listeners, `host:port`; empty: this host, on `publicPort`. */
  gateways: z.array(address).max(64),
  publicPort: z.int().min(0).max(65_535),
});

export type EnrolRequest = z.output<typeof enrolRequest>;
export type EnrolAnswer = z.output<typeof enrolAnswer>;
export type MadeToken = z.output<typeof madeToken>;

/** Each throws `object-invalid` and names the field. */
export const parseEnrolRequest = (value: unknown): EnrolRequest => parsed(enrolRequest, value);
export const parseEnrolAnswer = (value: unknown): EnrolAnswer => parsed(enrolAnswer, value);
export const parseMadeToken = (value: unknown): MadeToken => parsed(madeToken, value);

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = validate(schema, value);
  if ('value' in result) return result.value;
  const problems = result.problems.map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`);
  throw apiError('object-invalid', problems.slice(0, 5).join('; '));
}
