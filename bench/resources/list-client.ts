import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import { dialPort } from '../baseline/client.ts';
import type { PemCredentials } from '../baseline/credentials.ts';
import { HttpClient } from '../baseline/http-client.ts';
import { percentile } from '../baseline/load.ts';

interface ListClientOptions {
  readonly port: number;
  readonly credentials: PemCredentials;
  readonly path: string;
  /** One after the other, the first of which is not counted. */
  readonly lists: number;
}

export interface ListResult {
  readonly bytes: number;
  /** Medians of the lists. */
  readonly firstByteMs: number;
  readonly megabytesPerSecond: number;
}

/** Reads a long list several times over one connection, in a process of its own. */
export async function readList(options: ListClientOptions): Promise<ListResult> {
  const child: Child<ListResult> = await startChild(import.meta.filename, options);
  await child.stop();
  return child.ready;
}

async function run({ port, credentials, path, lists }: ListClientOptions): Promise<ListResult> {
  const client = new HttpClient(await dialPort(port, credentials)());
  let bytes = await client.get(path);
  const firstBytes: number[] = [];
  const rates: number[] = [];
  for (let i = 1; i < lists; i++) {
    const begin = performance.now();
    bytes = await client.get(path);
    const end = performance.now();
    firstBytes.push((client.firstByteAt ?? Number.NaN) - begin);
    rates.push(bytes / 1e3 / (end - begin));
  }
  client.close();
  const median = (values: number[]): number =>
    percentile(
      values.toSorted((a, b) => a - b),
      50,
    );
  return { bytes, firstByteMs: median(firstBytes), megabytesPerSecond: median(rates) };
}

if (import.meta.main) serveAsChild(run);
