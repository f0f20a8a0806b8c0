/** A process that calls an edge: over the SDK's streams, and as a plain HTTPS client. */
import { Agent, request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { Duplex, Writable } from 'node:stream';
import { join } from 'node:path';
import { connect, type ClientConfig } from '../../../sdk/index.ts';
import { systemClock, watchFiles } from '../../../base/index.ts';
import { clientTls, LiveKeyStore } from '../../../certs/index.ts';
import { roleOptions, serveRole, yieldToOthers } from '../role.ts';
import { dribble, pour } from '../sources.ts';
import { transfer, transferHead, type Progress, type TransferResult } from '../transfer.ts';

/** How 1,000 requests fared. */
export interface CallsResult {
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
  readonly latenciesMs: readonly number[];
}

export interface StallInput {
  readonly edge?: string;
  readonly how: 'sdk' | 'http';
  /** `endless` or `dribble`. */
  readonly source: string;
  readonly count: number;
  /** Takes what comes, for a process that is going to be stopped. */
  readonly reads?: boolean;
}

export interface CallsInput {
  /** Below the API's root. `#` becomes the number of the call. */
  readonly path: string;
  readonly method?: string;
  readonly count: number;
  /** So many at a time, each after the other ... */
  readonly concurrency?: number;
  /** ... or one so often, however long each takes. */
  readonly everyMs?: number;
}

const { config } = roleOptions() as { readonly config: ClientConfig };
const fleet = await connect({ config });
const keys = await LiveKeyStore.open(config.keys);
let agent = newAgent();
// As a program does that runs for months: whoever renews its files changes what it shows and trusts.
watchFiles(systemClock, [join(config.keys, 'cert.pem')], () => void keys.reload().catch(() => undefined));
keys.onChange(() => {
  agent = newAgent();
});
const api = config.replicas[0]?.api ?? '';
const progress: Progress = { bytes: 0 };
const held: (Duplex | ClientRequest)[] = [];
let pumped = 0;

function newAgent(): Agent {
  return new Agent({ ...clientTls(keys), keepAlive: true, maxSockets: 256 });
}

function dial(service: string, edge = 'edge-1'): Duplex {
  const stream = fleet.edge(edge).dial(service);
  held.push(stream);
  stream.on('error', () => undefined);
  return stream;
}

/** A request on a connection of its own. */
function open(path: string, method: string): ClientRequest {
  const request = httpsRequest(`${api}${path}`, { ...clientTls(keys), method, agent: false });
  held.push(request);
  request.on('error', () => undefined);
  return request;
}

async function transferOne(id: number, bytes: number): Promise<TransferResult> {
  const stream = fleet.edge('edge-1').dial('main-transfer');
  stream.write(transferHead(id, bytes));
  return await transfer(stream, id, bytes, Buffer.alloc(0), progress);
}

async function stall({ edge = 'edge-1', how, source, count, reads = false }: StallInput): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      if (how === 'sdk') {
        const stream = dial(`main-${source}`, edge);
        await once(stream, 'open');
        if (reads) stream.resume();
        return;
      }
      const request = open(`/edges/${edge}/main-web/${source}`, 'GET').end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      response.on('error', () => undefined);
      if (reads) response.resume();
    }),
  );
}

async function callOne(path: string, method: string): Promise<{ readonly status: number; readonly ms: number }> {
  const begin = performance.now();
  const request = httpsRequest(`${api}${path}`, { method, agent });
  const answered = once(request, 'response');
  request.end(method === 'POST' ? 'a body' : undefined);
  const [response] = (await answered) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode ?? 0, ms: performance.now() - begin };
}

async function calls({ path, method = 'GET', count, concurrency = 1, everyMs }: CallsInput): Promise<CallsResult> {
  const statuses: Record<string, number> = {};
  const failures: string[] = [];
  const latenciesMs: number[] = [];
  const numbers = Array.from({ length: count }, (_, number) => number).values();
  const one = async (number: number): Promise<void> => {
    const begin = performance.now();
    try {
      const { status, ms } = await callOne(path.replace('#', String(number)), method);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status >= 300) failures.push(`${number}: HTTP ${status} after ${ms.toFixed(0)} ms`);
      else latenciesMs.push(ms);
    } catch (error) {
      failures.push(`${number}: ${String(error)} after ${(performance.now() - begin).toFixed(0)} ms`);
    }
  };
  if (everyMs === undefined) {
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        for (const number of numbers) await one(number);
      }),
    );
  } else {
    const running: Promise<void>[] = [];
    for (const number of numbers) {
      running.push(one(number));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    await Promise.all(running);
  }
  return { statuses, failures, latenciesMs };
}

const commands = {
  calls,
  stall,
  yieldToOthers,
  links: () => fleet.links.length,
  streams: () => fleet.streams,
  transfers: ({ count, bytes }: { readonly count: number; readonly bytes: number }) =>
    Promise.all(Array.from({ length: count }, (_, id) => transferOne(id, bytes))),
  progress: () => ({ bytes: progress.bytes }),
  /** Sends one byte a write to a service that reads nothing. */
  dribble: ({ how, count }: { readonly how: 'sdk' | 'http'; readonly count: number }) => {
    for (let index = 0; index < count; index++) {
      const to: Writable = how === 'sdk' ? dial('main-sink') : open('/edges/edge-1/main-web/sink', 'POST');
      dribble(to, how === 'sdk' ? 64 : 1);
    }
  },
  /** One stream at full speed, until `release`. */
  pump: async ({ direction }: { readonly direction: 'down' | 'up' }) => {
    const stream = dial(direction === 'down' ? 'main-endless' : 'main-drain');
    await once(stream, 'open');
    if (direction === 'up') pour(stream);
    stream.on('data', (chunk: Buffer) => {
      pumped += chunk.length;
    });
  },
  pumped: () => ({ bytes: pumped, at: Date.now() }),
  /** Ends whatever was begun. */
  release: () => {
    for (const each of held.splice(0)) each.destroy();
  },
};

export type ClientRole = typeof commands;

serveRole({}, commands);
