import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test, type Test } from 'tap';
import { MemoryCurve } from '../support/memory-curve.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { missing } from '../support/program.ts';
import { startNginx } from '../support/programs.ts';
import type { Stream } from '../../sdk/index.ts';
import { isLong } from './through.ts';

const MIB = 1024 * 1024;
const totalBytes = isLong ? 2048 * MIB : 128 * MIB;
const patienceS = isLong ? 600 : 60;
/** What a process may hold more in the second half of a transfer than it did in the first. */
const maxDriftMib = 16;
/** And what more than it held before. */
const maxGrowthMib = 96;

const skip = missing('nginx') || missing('curl');

test('large files pass both ways, whole and with flat memory', { skip, timeout: 1_200_000 }, async (t) => {
  const nginx = await startNginx('client_max_body_size 0; location / { dav_methods PUT; }');
  t.teardown(() => nginx.stop());
  const address = `127.0.0.1:${nginx.port}`;
  const cluster = await ProcessCluster.start(t, {
    services: () => [
      { name: 'web', kind: 'http', url: `http://${address}` },
      { name: 'web-tcp', kind: 'tcp', address },
    ],
  });
  const www = join(nginx.folder, 'www');
  const source = join(www, 'source.bin');
  const copy = join(cluster.folder, 'copy.bin');
  const sha256 = await writeRandomFile(source, totalBytes);
  const url = `${cluster.apiUrl}/edges/edge-1/web`;
  const limit = ['--max-time', String(patienceS)];
  const fleet = await cluster.client();
  const dial = (): Stream => fleet.edge('edge-1').dial('web-tcp', { class: 'bulk' });

  /** Runs a transfer, with an eye on the memory of the processes that it passes. */
  const measure = async (t: Test, transfer: () => Promise<void>): Promise<void> => {
    const curve = new MemoryCurve({ replica: cluster.replica.pid, agent: cluster.agent('edge-1').pid });
    const start = performance.now();
    let reports: ReturnType<MemoryCurve['stop']>;
    try {
      await transfer();
    } finally {
      reports = curve.stop();
    }
    const seconds = (performance.now() - start) / 1000;
    t.comment(`${Math.round(totalBytes / seconds / 1e6)} MB/s; memory in MiB ${JSON.stringify(reports)}`);
    for (const [name, { idle, firstHalfMax, secondHalfMax }] of Object.entries(reports)) {
      t.ok(secondHalfMax <= firstHalfMax + maxDriftMib, `the memory of the ${name} stays: ${firstHalfMax}, ${secondHalfMax} MiB`);
      t.ok(Math.max(firstHalfMax, secondHalfMax) <= idle + maxGrowthMib, `and is bounded: ${idle} MiB before`);
    }
  };

  await t.test('a download by curl', async (t) => {
    await measure(t, async () => {
      const { exitCode, stderr } = await cluster.curl(...limit, '-f', '-o', copy, `${url}/source.bin`);
      t.equal(exitCode, 0, stderr);
    });
    t.equal(await hashOfFile(copy), sha256);
  });

  await t.test('an upload by curl', async (t) => {
    await measure(t, async () => {
      const { exitCode, stderr } = await cluster.curl(...limit, '-f', '-T', source, `${url}/by-curl.bin`);
      t.equal(exitCode, 0, stderr);
    });
    t.equal(await hashOfFile(join(www, 'by-curl.bin')), sha256);
  });

  await t.test('a download by the SDK', async (t) => {
    const hash = createHash('sha256');
    await measure(t, async () => {
      const get = request({ path: '/source.bin', createConnection: dial, agent: false, headers: { host: 'web' } });
      get.end();
      const [response] = (await once(get, 'response')) as [IncomingMessage];
      t.equal(response.statusCode, 200);
      await pipeline(response, hash);
    });
    t.equal(hash.digest('hex'), sha256);
  });

  await t.test('an upload by the SDK', async (t) => {
    await measure(t, async () => {
      const headers = { 'host': 'web', 'content-length': totalBytes };
      const put = request({ method: 'PUT', path: '/by-sdk.bin', createConnection: dial, agent: false, headers });
      const answered = once(put, 'response');
      await pipeline(createReadStream(source, { highWaterMark: 256 * 1024 }), put);
      const [response] = (await answered) as [IncomingMessage];
      response.resume();
      t.equal(response.statusCode, 201);
    });
    t.equal(await hashOfFile(join(www, 'by-sdk.bin')), sha256);
  });
});

/** Bytes that no compression or repetition helps; returns their hash. */
async function writeRandomFile(path: string, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  await using file = await open(path, 'w');
  for (let left = bytes; left > 0; left -= MIB) {
    const block = randomBytes(Math.min(left, MIB));
    hash.update(block);
    await file.write(block);
  }
  return hash.digest('hex');
}

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return hash.digest('hex');
}
