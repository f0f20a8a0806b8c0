import { type Duplex } from 'node:stream';
import { HttpClient } from './http-client.ts';

/** Opens a connection to the service, through whatever is measured. */
export type Dial = () => Promise<Duplex>;

export interface RequestLoad {
  /** Connections, each with one request at a time. */
  readonly clients: number;
  readonly durationMs: number;
  /** Before the clock starts. Default 500. */
  readonly warmUpMs?: number;
  /** Default `/`, 1 KiB. */
  readonly path?: string;
}

export interface RequestResult {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** Requests as fast as the clients get answers. A client whose connection fails stops and counts as one failure. */
export async function loadRequests(dial: Dial, load: RequestLoad): Promise<RequestResult> {
  const { clients, durationMs, warmUpMs = 500, path = '/' } = load;
  const connections = await Promise.all(Array.from({ length: clients }, async () => new HttpClient(await dial())));
  const begin = performance.now() + warmUpMs;
  const end = begin + durationMs;
  const latenciesUs: number[] = [];
  let failed = 0;
  const run = async (client: HttpClient): Promise<void> => {
    try {
      for (;;) {
        const sentAt = performance.now();
        if (sentAt >= end) return;
        await client.get(path);
        const now = performance.now();
        if (sentAt >= begin && now <= end) latenciesUs.push((now - sentAt) * 1_000);
      }
    } catch {
      failed++;
    }
  };
  await Promise.all(connections.map(run));
  for (const client of connections) client.close();
  latenciesUs.sort((a, b) => a - b);
  return {
    requests: latenciesUs.length,
    failed,
    perSecond: latenciesUs.length / (durationMs / 1_000),
    p50Us: percentile(latenciesUs, 50),
    p90Us: percentile(latenciesUs, 90),
    p99Us: percentile(latenciesUs, 99),
    maxUs: latenciesUs.at(-1) ?? Number.NaN,
  };
}

export interface TransferResult {
  readonly bytes: number;
  readonly seconds: number;
  /** 10⁶ bytes a second. */
  readonly megabytesPerSecond: number;
}

/** Downloads so many bytes over HTTP, in equal parts over several connections at once. */
export async function loadDownload(dial: Dial, bytes: number, sockets = 1, prefix = ''): Promise<TransferResult> {
  const clients = await Promise.all(Array.from({ length: sockets }, async () => new HttpClient(await dial())));
  const part = Math.floor(bytes / sockets);
  const begin = performance.now();
  const received = await Promise.all(clients.map((client) => client.get(`${prefix}/bytes/${part}`)));
  const result = transferred(
    received.reduce((sum, each) => sum + each, 0),
    begin,
  );
  for (const client of clients) client.close();
  return result;
}

/** Uploads to the origin's TCP sink; done when the sink says that it has everything. */
export async function loadUpload(dialTcp: Dial, bytes: number): Promise<TransferResult> {
  const connection = await dialTcp();
  const block = Buffer.alloc(64 * 1024, 'x');
  const begin = performance.now();
  const done = new Promise<void>((resolve, reject) => {
    connection.once('data', () => resolve());
    connection.once('error', reject);
    connection.once('close', () => reject(new Error('the connection closed')));
  });
  connection.write(`sink ${bytes}\n`);
  let left = bytes;
  const send = (): void => {
    while (left > 0) {
      const size = Math.min(left, block.length);
      left -= size;
      if (!connection.write(size === block.length ? block : block.subarray(0, size))) {
        connection.once('drain', send);
        return;
      }
    }
  };
  send();
  await done;
  const result = transferred(bytes, begin);
  connection.destroy();
  return result;
}

function transferred(bytes: number, begin: number): TransferResult {
  const seconds = (performance.now() - begin) / 1_000;
  return { bytes, seconds, megabytesPerSecond: bytes / 1e6 / seconds };
}

/** Of numbers in rising order, the nearest rank. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}
