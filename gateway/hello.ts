import { isDnsLabel, validate, z } from '../base/index.ts';
import type { IdentityKind } from '../certs/index.ts';
import { tunnelError, type LinkBody } from '../tunnel/index.ts';
import type { EdgeHello } from './edge-registry.ts';

const services = z
  .array(z.object({ name: z.string().refine(isDnsLabel, 'expected a DNS label'), kind: z.string().min(1).max(32) }))
  .max(256);

const edgeHello = z.object({
  role: z.literal('edge'),
  version: z.literal(1),
  edge: z.string().max(63).optional(),
  instance: z.string().regex(/^[0-9a-f]{8,64}$/u),
  agentVersion: z.string().max(64).default(''),
  services: services.default([]),
  epoch: z.int().min(0).default(0),
});

/** Another replica: what it is, its certificate says. */
const replicaHello = z.object({ role: z.literal('replica'), version: z.literal(1), instance: z.string().max(64) });

const clientHello = z.object({ role: z.literal('client'), version: z.literal(1), instance: z.string().max(64) });

export type Hello =
  | ({ readonly role: 'edge' } & EdgeHello)
  | { readonly role: 'client' | 'replica'; readonly instance: string };

/** Reads a HELLO; its role has to be the one that the certificate allows. Errors: `hello-malformed`, `version-unsupported`. */
export function parseHello(kind: IdentityKind, body: LinkBody): Hello {
  if (body['version'] !== 1)
    throw tunnelError('version-unsupported', { detail: `${String(body['version'])}, this replica speaks 1` });
  const result = validate<Hello>(schemaOf(kind), body);
  if ('value' in result) return result.value;
  const [problem] = result.problems;
  throw tunnelError('hello-malformed', {
    detail: problem === undefined ? '' : `${problem.path.join('.')}: ${problem.message}`,
  });
}

function schemaOf(kind: IdentityKind): z.ZodType<Hello> {
  if (kind === 'edge') return edgeHello;
  return kind === 'replica' ? replicaHello : clientHello;
}
