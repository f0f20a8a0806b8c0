import { apiCodes } from '../../api/index.ts';
import { baseCodes, Metrics } from '../../base/index.ts';
import type { CodeEntry } from '../../base/code-table.ts';
import { certCodes } from '../../certs/cert-error.ts';
import { cliCodes } from '../../cli/cli-error.ts';
import { enrolCodes } from '../../edge-agent/enrolment/index.ts';
import { serviceCodes } from '../../edge-agent/services/service-error.ts';
import { registerAuditMetrics, type AuditLog } from '../../gateway/audit/index.ts';
import { registerCacheMetrics, type FeedClients, type ResourceCaches } from '../../gateway/cache/index.ts';
import { enrolmentCodes } from '../../gateway/enrolment/index.ts';
import { frontCodes } from '../../gateway/front/index.ts';
import { gatewayCodes } from '../../gateway/gateway-error.ts';
import { registerReadCounts } from '../../gateway/kube/index.ts';
import { ReplicaMetrics, type MetricSources } from '../../gateway/replica-metrics.ts';
import { registerRevocationMetrics } from '../../gateway/revocation/index.ts';
import { resourceCodes } from '../../resources/index.ts';
import { storeCodes } from '../../store/store-error.ts';
import { encodeFrame, defaultLimits, FrameType, type Frame } from '../../tunnel/index.ts';
import { RecordType } from '../../tunnel/http-record.ts';
import { tunnelCodes } from '../../tunnel/tunnel-error.ts';
import { layers } from '../tooling/layers.ts';
import { configTables } from './config-keys.ts';
import { feedTables } from './feed-tables.ts';
import { limitRows } from './limit-rows.ts';
import { readPage, withTable, type PageTable } from './pages.ts';

const codeTables: Readonly<Record<string, Readonly<Record<string, CodeEntry>>>> = {
  'base': baseCodes,
  'tunnel': tunnelCodes,
  'certs': certCodes,
  'store': storeCodes,
  'api': apiCodes,
  'resources': resourceCodes,
  'gateway': gatewayCodes,
  'gateway front': frontCodes,
  'gateway enrolment': enrolmentCodes,
  'edge-agent services': serviceCodes,
  'edge-agent enrolment': enrolCodes,
  'cli': cliCodes,
};

/** Every code of every table, with the table that it stands in. */
export const allCodes: readonly { readonly table: string; readonly code: string; readonly entry: CodeEntry }[] =
  Object.entries(codeTables).flatMap(([table, codes]) =>
    Object.entries(codes).map(([code, entry]) => ({ table, code, entry })),
  );

/** Every table of the pages that the code decides. */
export async function pageTables(): Promise<PageTable[]> {
  return [
    ...Object.entries(codeTables).map(([name, codes]) => codeTable(name, codes)),
    frameTable(),
    exampleTable(),
    recordTable(),
    ...feedTables(),
    limitTable(),
    ...configTables(),
    await metricTable(),
    layerTable('docs/architecture.md', true),
    layerTable('CONTRIBUTING.md', false),
  ];
}

/** A page with all of its tables as the code has them. */
export function withTables(page: string, tables: readonly PageTable[]): string {
  return tables.filter((table) => table.page === page).reduce(withTable, readPage(page));
}

function codeTable(name: string, codes: Readonly<Record<string, CodeEntry>>): PageTable {
  return {
    page: 'docs/errors.md',
    name,
    head: ['code', 'status', 'again', 'what happened', 'what to do'],
    rows: Object.entries(codes).map(([code, { status, retryable, text, fix }]) => [
      `\`${code}\``,
      String(status),
      retryable ? 'yes' : 'no',
      text,
      fix,
    ]),
  };
}

function frameTable(): PageTable {
  return {
    page: 'docs/protocol.md',
    name: 'frames',
    head: ['frame', 'type', 'carries'],
    rows: Object.entries(FrameType).map(([name, type]) => [name, `\`0x${hex(type)}\``]),
    prose: true,
  };
}

/** One of each layout, small enough to check by eye. */
const examples: readonly Frame[] = [
  { type: FrameType.DATA, channel: 5, offset: 65_536, blocked: true, payload: Buffer.from('abc') },
  { type: FrameType.FIN, channel: 5, offset: 65_539 },
  { type: FrameType.CREDIT, channel: 5, received: 65_540, limit: 262_144 },
  { type: FrameType.PING, channel: 0, nonce: 7 },
  { type: FrameType.LINK_ACK, channel: 0, bytes: 2 ** 32 },
  { type: FrameType.RESET, channel: 6, ack: true, code: 'canceled', message: '' },
  { type: FrameType.DETACH, channel: 6, code: 'moved' },
  {
    type: FrameType.OPEN,
    channel: 1,
    id: '000102030405060708090a0b0c0d0e0f',
    instance: 'ab',
    attempt: 1,
    class: 1,
    received: 0,
    limit: 262_144,
    target: { edge: 'e', service: 's', kind: 'tcp', verb: 'connect', path: '', principal: '' },
    head: Buffer.alloc(0),
  },
];

function exampleTable(): PageTable {
  return {
    page: 'docs/protocol.md',
    name: 'examples',
    head: ['frame', 'bytes'],
    rows: examples.map((frame) => {
      const name = Object.entries(FrameType).find(([, type]) => type === frame.type)?.[0] ?? '';
      const bytes = encodeFrame(frame, defaultLimits.maxFrameBytes).toString('hex');
      const [header, body] = [bytes.slice(0, 16), bytes.slice(16)];
      const fields = [header.slice(0, 2), header.slice(2, 4), header.slice(4, 8), header.slice(8)].join(' ');
      return [name, `\`${fields}\` \`${body}\``];
    }),
  };
}

function recordTable(): PageTable {
  return {
    page: 'docs/protocol.md',
    name: 'records',
    head: ['record', 'type', 'carries'],
    rows: Object.entries(RecordType).map(([name, type]) => [name, `\`0x${hex(type)}\``]),
    prose: true,
  };
}

function limitTable(): PageTable {
  return {
    page: 'docs/configuration.md',
    name: 'limits',
    head: ['limit', 'default', 'why, and what happens beyond it'],
    rows: limitRows(),
  };
}

/** What a replica exposes beside the process's own metrics, read from a scrape. */
async function metricTable(): Promise<PageTable> {
  const metrics = new Metrics();
  const nothing = { crossings: 0, queuedBytes: 0, shed: 0, bytesUp: 0, bytesDown: 0, pool: { freeBytes: 0 } };
  const endpoint = { streams: 0, detachedStreams: 0, retainedBytes: 0 };
  const sources = {
    tunnelSwitch: nothing,
    registry: { online: 0 },
    endpoint,
    listener: { links: new Map() },
    router: { notHere: 0 },
  };
  // oxlint-disable-next-line no-new -- it registers its metrics
  new ReplicaMetrics(metrics, sources as unknown as MetricSources);
  const noCounts = { evictions: 0, snapshotsLoaded: 0, snapshotsWritten: 0, snapshotFailures: 0 };
  registerReadCounts(metrics);
  registerCacheMetrics(
    metrics,
    { edges: [], bytes: 0, counts: noCounts } as unknown as ResourceCaches,
    { clients: new Map() } as unknown as FeedClients,
  );
  registerAuditMetrics(metrics, {
    counts: { allowed: 0, refused: 0, done: 0, failed: 0 },
    lost: 0,
    waitingBytes: 0,
  } as AuditLog);
  registerRevocationMetrics(metrics, { size: 0, unreadable: 0 });
  const text = await metrics.text();
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gmu)].map(
    ([, name = '', help = '', type = '']) => [`\`${name}\``, type, help],
  );
  return {
    page: 'docs/operations.md',
    name: 'metrics',
    head: ['metric', 'type', 'what', 'look at it when'],
    rows,
    prose: true,
  };
}

function layerTable(page: string, prose: boolean): PageTable {
  const rows = Object.entries(layers).map(([folder, { mayImport, mayImportTypes = [], mayStart = [] }]) => {
    const arrows = [
      mayImport.map(code).join(', '),
      mayImportTypes.length > 0 ? `types of ${mayImportTypes.map(code).join(' and ')}` : '',
      mayStart.length > 0 ? `starts ${mayStart.map(code).join(' and ')}` : '',
    ];
    return [code(`${folder}/`), arrows.filter((arrow) => arrow !== '').join('; ') || 'nothing'];
  });
  return prose
    ? { page, name: 'layers', head: ['folder', 'may import', 'holds'], rows, prose }
    : { page, name: 'layers', head: ['folder', 'may import'], rows };
}

function code(text: string): string {
  return `\`${text}\``;
}

function hex(type: number): string {
  return type.toString(16).padStart(2, '0');
}
