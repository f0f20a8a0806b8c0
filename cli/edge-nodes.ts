import type { EdgeNodeSpec } from '../api/index.ts';
import { CodedError, validate, z } from '../base/index.ts';
import { KubeApi, type Api } from '../sdk/index.ts';

/** An `EdgeNode` as far as it is shown. Lenient: a newer replica may say more, an older one less. */
const shownNode = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    creationTimestamp: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.looseObject({ admission: z.string(), keyPin: z.string().optional() }),
  status: z
    .looseObject({
      online: z.boolean().default(false),
      links: z
        .array(
          z.looseObject({
            id: z.string().default('-'),
            replica: z.string().default('-'),
            active: z.boolean().default(false),
            since: z.string().nullish(),
            rttMs: z.number().nullish(),
            remote: z.string().nullish(),
          }),
        )
        .default([]),
      services: z.array(z.looseObject({ name: z.string(), kind: z.string() })).default([]),
      instance: z.string().nullish(),
      epoch: z.number().nullish(),
      agentVersion: z.string().nullish(),
      lastContact: z.string().nullish(),
      reason: z.string().nullish(),
      certificate: z.looseObject({ keyPin: z.string().optional() }).optional(),
    })
    .prefault({}),
});

export type ShownNode = z.output<typeof shownNode>;

/** Known to every replica, so that nothing has to be looked up. */
const edgeNodes = {
  group: 'causeway.io',
  version: 'v1',
  resource: 'edgenodes',
  kind: 'EdgeNode',
  namespaced: false,
} as const;

/** The edges, by name. */
export async function listNodes(api: Api): Promise<readonly ShownNode[]> {
  const { value } = await new KubeApi(api, '').client.list(edgeNodes);
  const { items } = read(z.looseObject({ items: z.array(shownNode) }), value);
  return items.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
}

export async function getNode(api: Api, name: string): Promise<ShownNode> {
  return read(shownNode, (await new KubeApi(api, '').client.get(edgeNodes, { name })).value);
}

/** Where an edge's object says why it was denied. */
export const reasonAnnotation = 'causeway.io/reason';

/** Puts an edge on the whitelist, or takes it off, and says why; `allow` makes an edge that is not known yet. */
export async function admitNode(
  api: Api,
  name: string,
  admission: EdgeNodeSpec['admission'],
  reason?: string,
): Promise<ShownNode> {
  const { client } = new KubeApi(api, '');
  // A reason that is not the newest one is taken away.
  const patch = { metadata: { annotations: { [reasonAnnotation]: reason ?? null } }, spec: { admission } };
  try {
    return read(shownNode, (await client.patch(edgeNodes, { name }, 'merge', patch)).value);
  } catch (error) {
    const isMissing = error instanceof CodedError && error.status === 404;
    if (!isMissing || admission === 'Denied') throw error;
  }
  const body = { apiVersion: 'causeway.io/v1', kind: 'EdgeNode', metadata: { name }, spec: { admission } };
  return read(shownNode, (await client.create(edgeNodes, '', body)).value);
}

export async function deleteNode(api: Api, name: string): Promise<void> {
  await new KubeApi(api, '').client.delete(edgeNodes, { name });
}

function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = validate(schema, body);
  if ('value' in result) return result.value;
  const [problem] = result.problems;
  throw new CodedError(
    'answer-malformed',
    `the replica's answer cannot be read: ${problem?.path.join('.')}: ${problem?.message}`,
    {
      fix: 'upgrade the older side: this command, or the replica',
    },
  );
}
