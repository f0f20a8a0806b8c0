import {
  encodeFeedFrame,
  encodeFeedRecord,
  encodeFeedRequest,
  feedLimits,
  type FeedFrame,
  type FeedRecord,
  type FeedRequest,
} from '../../resources/index.ts';
import { amount } from './limit-rows.ts';
import { readPage, type PageTable } from './pages.ts';

const key = { namespace: '', name: 'a' };
const none = Buffer.alloc(0);
const kind = 0;

/** One of each; what stands in it does not matter. */
const frames: readonly FeedFrame[] = [
  { type: 'plain', batch: none },
  { type: 'packed', bytes: none, batchBytes: 0 },
  { type: 'close' },
];
const records: readonly FeedRecord[] = [
  { type: 'start', version: 1, feed: '' },
  { type: 'kind', index: 0, resumed: false, kind: {} as Extract<FeedRecord, { readonly type: 'kind' }>['kind'] },
  { type: 'put', kind, json: none },
  { type: 'delta', kind, base: 0n, key, delta: none },
  { type: 'delete', kind, version: 0, key },
  { type: 'absent', kind, version: 0, round: 0, fingerprints: [] },
  { type: 'mark', kind, sequence: 0, version: 0, isCurrent: true, isLeaping: false },
  { type: 'state', kinds: [] },
  { type: 'alive' },
];
const requests: readonly FeedRequest[] = [
  { type: 'have', kind, round: 0, isLast: true, fingerprints: [] },
  { type: 'drop', kind },
];

/** The tables of kind `sync` in `docs/protocol.md`: types read from what the code writes. */
export function feedTables(): PageTable[] {
  return [
    typeTable('sync frames', frames, (frame) => Buffer.concat(encodeFeedFrame(frame)).readUInt8(0)),
    typeTable('sync records', records, (record) => Buffer.concat(encodeFeedRecord(record)).readUInt8(4)),
    typeTable('sync requests', requests, (request) => encodeFeedRequest(request).readUInt8(4)),
    {
      page: 'docs/protocol.md',
      name: 'sync limits',
      head: ['limit', 'value', 'what for'],
      rows: limitRows(),
    },
  ];
}

function typeTable<T extends { readonly type: string }>(
  name: string,
  samples: readonly T[],
  typeOf: (sample: T) => number,
): PageTable {
  const rows = samples.map((sample) => [sample.type.toUpperCase(), String(typeOf(sample))]);
  return {
    page: 'docs/protocol.md',
    name,
    head: [name.replace(/^sync (\w+)s$/u, '$1'), 'type', 'carries'],
    rows,
    prose: true,
  };
}

/** Each limit with its value and what its comment in `resources/feed/feed-limits.ts` says. */
function limitRows(): string[][] {
  const comments = new Map(
    [...readPage('resources/feed/feed-limits.ts').matchAll(/\/\*\* (.*?) \*\/\n\s*(\w+):/gu)].map(
      ([, comment = '', name = '']) => [name, comment],
    ),
  );
  return Object.entries(feedLimits).map(([name, value]) => [
    `\`${name}\``,
    amount(name, value),
    comments.get(name) ?? '',
  ]);
}
