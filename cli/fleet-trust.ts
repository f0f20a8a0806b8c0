import { edgeNodesPath } from '../api/index.ts';
import { validate, z } from '../base/index.ts';
import { CodedError, type Api } from '../sdk/index.ts';

/** A replica or an edge, and what it trusts and shows. */
export interface Holder {
  readonly kind: 'replica' | 'edge';
  /** `edge/edge-1`, `replica/site-a.r0`. */
  readonly name: string;
  readonly isOnline: boolean;
  /** Empty: it does not say. */
  readonly trustVersion: string;
  /** Key identifier of the issuer of its certificate. */
  readonly issuer: string;
}

const certificate = z
  .looseObject({ issuer: z.string().default(''), trustVersion: z.string().default('') })
  .prefault({});

const list = z.looseObject({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string() }),
      spec: z.looseObject({ admission: z.string().optional() }).prefault({}),
      status: z.looseObject({ online: z.boolean().optional(), certificate }).prefault({}),
    }),
  ),
});

/** All replicas, and the edges of the whitelist. */
export async function fleetTrust(api: Api): Promise<readonly Holder[]> {
  const [replicas, edges] = await Promise.all([
    api.json('GET', '/apis/causeway.io/v1/replicas'),
    api.json('GET', edgeNodesPath),
  ]);
  return [
    ...itemsOf(replicas).map(({ metadata, status }): Holder => ({
      kind: 'replica',
      name: `replica/${metadata.name}`,
      isOnline: true,
      ...status.certificate,
    })),
    ...itemsOf(edges)
      .filter(({ spec }) => spec.admission === 'Allowed')
      .map(({ metadata, status }): Holder => ({
        kind: 'edge',
        name: `edge/${metadata.name}`,
        isOnline: status.online === true,
        ...status.certificate,
      })),
  ];
}

function itemsOf(value: unknown): z.output<typeof list>['items'] {
  const result = validate<z.output<typeof list>>(list, value);
  if ('value' in result) return result.value.items;
  throw new CodedError('object-invalid', 'the replica answered with something that is no list');
}
