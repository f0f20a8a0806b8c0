import { validate, z } from '../../base/index.ts';
import { resourceError, type ResourceApi } from '../../resources/index.ts';
import { tokenExpiry } from '../fleet/index.ts';

/** What a JoinToken says, as far as enrolment goes by it; its own schema has checked the rest. */
const tokenObject = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    deletionTimestamp: z.string().optional(),
    creationTimestamp: z.string(),
  }),
  spec: z.looseObject({
    edge: z.string().optional(),
    edgeLabels: z.record(z.string(), z.string()).optional(),
    uses: z.int().min(1).default(1),
  }),
});

/** Whom a token lets in, how often, and until when. */
export interface TokenTerms {
  /** `t-ID`. */
  readonly name: string;
  readonly uid: string;
  /** The one edge; undefined: any new one, which gets the labels. */
  readonly edge: string | undefined;
  readonly edgeLabels: Readonly<Record<string, string>> | undefined;
  readonly uses: number;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The newest state of a token's object; undefined when there is none, or it is on its way out. */
export async function readTerms(tokens: ResourceApi, id: string): Promise<TokenTerms | undefined> {
  const held = await tokens.collection.get('', `t-${id}`, { match: 'newest' });
  return held === undefined ? undefined : termsOf(JSON.parse(held.json.toString('utf8')));
}

export function termsOf(object: unknown): TokenTerms | undefined {
  const result = validate(tokenObject, object);
  const expiresAt = tokenExpiry(object);
  if (!('value' in result) || expiresAt === undefined)
    throw resourceError('object-malformed', { detail: 'a JoinToken of the store' });
  const { metadata, spec } = result.value;
  if (metadata.deletionTimestamp !== undefined) return undefined;
  const { name, uid } = metadata;
  return { name, uid, edge: spec.edge, edgeLabels: spec.edgeLabels, uses: spec.uses, expiresAt };
}
