import { CodedError, validate, z } from '../base/index.ts';
import { KubeApi, type Api } from '../sdk/index.ts';

/** A `Revocation` as far as it is shown. Lenient: a newer replica may say more. */
const shownRevocation = z.looseObject({
  metadata: z.looseObject({ name: z.string(), creationTimestamp: z.string().optional() }),
  spec: z.looseObject({
    edge: z.string().optional(),
    principal: z.string().optional(),
    keyPin: z.string().optional(),
    serial: z.string().optional(),
    reason: z.string().optional(),
  }),
});

export type ShownRevocation = z.output<typeof shownRevocation>;

/** What is revoked: exactly one of these. */
export type RevocationTarget =
  | { readonly edge: string }
  | { readonly principal: string }
  | { readonly keyPin: string }
  | { readonly serial: string };

/** Known to every replica, so that nothing has to be looked up. */
const revocations = {
  group: 'causeway.io',
  version: 'v1',
  resource: 'revocations',
  kind: 'Revocation',
  namespaced: false,
} as const;

/** By name. */
export async function listRevocations(api: Api): Promise<readonly ShownRevocation[]> {
  const { value } = await new KubeApi(api, '').client.list(revocations);
  const { items } = read(z.looseObject({ items: z.array(shownRevocation) }), value);
  return items.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
}

/** Revokes; `name` ends with a dash where the replica is to complete it. A name that exists is left as it is, and given back. */
export async function revoke(
  api: Api,
  name: string,
  target: RevocationTarget,
  reason: string | undefined,
): Promise<ShownRevocation> {
  const { client } = new KubeApi(api, '');
  const metadata = name.endsWith('-') ? { generateName: name } : { name };
  const spec = { ...target, ...(reason === undefined ? {} : { reason }) };
  const body = { apiVersion: 'causeway.io/v1', kind: 'Revocation', metadata, spec };
  try {
    return read(shownRevocation, (await client.create(revocations, '', body)).value);
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'object-exists') throw error;
    return read(shownRevocation, (await client.get(revocations, { name })).value);
  }
}

export async function liftRevocation(api: Api, name: string): Promise<void> {
  await new KubeApi(api, '').client.delete(revocations, { name });
}

/** `edge/edge-1`, `operator/alice`, `key sha256/...`, `serial 0A...`. */
export function revokedBy({ spec }: ShownRevocation): string {
  const { edge, principal, keyPin, serial } = spec;
  if (edge !== undefined) return `edge/${edge}`;
  return principal ?? (keyPin === undefined ? `serial ${serial ?? '-'}` : `key ${keyPin}`);
}

function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = validate(schema, body);
  if ('value' in result) return result.value;
  const [problem] = result.problems;
  throw new CodedError(
    'answer-malformed',
    `the replica's answer cannot be read: ${problem?.path.join('.')}: ${problem?.message}`,
    { fix: 'upgrade the older side: this command, or the replica' },
  );
}
