import { validate, z } from '../../base/index.ts';
import { feedMalformed } from './feed-error.ts';

/** Both ends speak this, or not with each other. */
export const FEED_VERSION = 1;

const name = z.string().max(253);
const verb = z.enum(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']);

const column = z.object({
  name: z.string().max(253),
  type: z.enum(['string', 'integer', 'number', 'boolean', 'date']),
  description: z.string().max(4096).exactOptional(),
  priority: z.int().default(0),
  value: z.string().max(4096),
});

export const fedKind = z.object({
  group: name,
  version: name.min(1),
  resource: name.min(1),
  kind: name.min(1),
  listKind: name.min(1),
  singular: name,
  shortNames: z.array(name).max(64),
  categories: z.array(name).max(64),
  namespaced: z.boolean(),
  verbs: z.array(verb).max(16),
  hasStatus: z.boolean(),
  columns: z.array(column).max(64).exactOptional(),
  selectableFields: z.array(z.string().max(253)).max(64),
});

/** What a replica has to know of a kind to serve it: as the edge's discovery and, for a custom one, its definition say it. */
export type FedKind = Readonly<z.output<typeof fedKind>>;

const problem = z.object({ reason: z.string().max(128), message: z.string().max(1024), sinceMs: z.number().min(0) });

/** What is wrong with a kind at the edge's API; `sinceMs`: so long ago. */
export type KindProblem = Readonly<z.output<typeof problem>>;

const kindState = z.object({
  index: z.int().min(0),
  isSynced: z.boolean(),
  isLive: z.boolean(),
  version: z.int().min(0).exactOptional(),
  problem: problem.exactOptional(),
  digest: z.string().max(64).exactOptional(),
});

/** How a kind stands at the agent. */
export interface KindState {
  readonly index: number;
  /** There was a complete list. */
  readonly isSynced: boolean;
  /** The edge's API is being watched and was heard of in time. */
  readonly isLive: boolean;
  /** Everything up to this version of the edge's API has been sent. Only for what the replica is in step with. */
  readonly version?: number;
  readonly problem?: KindProblem;
  /** What the replica holds now, if all went well. Only for what it is in step with. */
  readonly digest?: string;
}

const start = z.object({ version: z.literal(FEED_VERSION), feed: z.string().regex(/^[0-9a-f]{16}$/u) });
const kindRecord = z.object({ index: z.int().min(0), resumed: z.boolean(), kind: fedKind });
const stateRecord = z.object({ kinds: z.array(kindState) });
const hello = z.object({
  version: z.literal(FEED_VERSION),
  feed: z.string().max(64).exactOptional(),
  cursors: z.record(name, z.int().min(0)),
});

/** What a replica opens a feed with: the stream's head. */
export interface FeedHello {
  readonly version: 1;
  /** The feed that the cursors are of. */
  readonly feed?: string;
  /** By qualified name: everything up to this sequence has been applied. */
  readonly cursors: Readonly<Record<string, number>>;
}

export interface FeedStart {
  readonly version: 1;
  /** Names the agent's log of changes; another one knows nothing of this one's sequences. */
  readonly feed: string;
}

export interface KindRecord {
  /** Stands for the kind in the records of this stream. */
  readonly index: number;
  /** What is newer than the replica's cursor follows. Otherwise nothing does until the replica says what it has. */
  readonly resumed: boolean;
  readonly kind: FedKind;
}

export const parseHello = (bytes: Buffer): FeedHello => parse<FeedHello>(hello, bytes, 'the hello');
export const parseStart = (bytes: Buffer): FeedStart => parse<FeedStart>(start, bytes, 'START');
export const parseKind = (bytes: Buffer): KindRecord => parse<KindRecord>(kindRecord, bytes, 'KIND');
export const parseState = (bytes: Buffer): { readonly kinds: readonly KindState[] } =>
  parse<{ readonly kinds: readonly KindState[] }>(stateRecord, bytes, 'STATE');

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw feedMalformed(`${what} is no JSON`, cause);
  }
  const result = validate(schema, value);
  if ('value' in result) return result.value;
  const [first] = result.problems;
  throw feedMalformed(`${what}: ${first?.path.join('.') ?? ''}: ${first?.message ?? ''}`);
}
