import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test, type Test } from 'tap';
import { MemoryCurve, rss } from '../support/memory-curve.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { missing } from '../support/program.ts';
import { startNginx } from '../support/programs.ts';
import type { Stream } from '../../sdk/index.ts';
import { isLong } from './through.ts';

const MIB = 1024 * 1024;
const totalBytes = isLong ? 2048 * MIB : 128 * MIB;
const patienceS = isLong ? 600 : 60;
/** What a process may hold more in the second round of transfers than it did in the first: V8 lets that much of dropped buffers pile up, or not yet. */
const maxDriftMib = 64;
/** And what more than when it was idle: windows and queues, and the 64 MiB of dropped buffers that V8 lets pile up before it collects. */
const maxGrowthMib = 128;

const skip = missing('nginx') || missing('curl');

test('large files pass both ways, whole and with flat memory', { skip, timeout: 1_800_000 }, async (t) => {
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
  const limit = ['-f', '--max-time', String(patienceS)];
  const fleet = await cluster.client();
  const dial = (): Stream => fleet.edge('edge-1').dial('web-tcp', { class: 'bulk' });

  /** Each resolves with the hash of what came out at the other end. */
  const transfers: Readonly<Record<string, () => Promise<string>>> = {
    'a download by curl': async () => {
      const { exitCode, stderr } = await cluster.curl(...limit, '-o', copy, `${url}/source.bin`);
      if (exitCode !== 0) throw new Error(stderr);
      return await hashOfFile(copy);
    },
    'an upload by curl': async () => {
      const { exitCode, stderr } = await cluster.curl(...limit, '-T', source, `${url}/by-curl.bin`);
      if (exitCode !== 0) throw new Error(stderr);
      return await hashOfFile(join(www, 'by-curl.bin'));
    },
    'a download by the SDK': async () => {
      const hash = createHash('sha256');
      const get = request({ path: '/source.bin', createConnection: dial, headers: { host: 'web' } });
      get.end();
      const [response] = (await once(get, 'response')) as [IncomingMessage];
      await pipeline(response, hash);
      return hash.digest('hex');
    },
    'an upload by the SDK': async () => {
      const headers = { 'host': 'web', 'content-length': totalBytes };
      const put = request({ method: 'PUT', path: '/by-sdk.bin', createConnection: dial, headers });
      const answered = once(put, 'response');
      await pipeline(createReadStream(source, { highWaterMark: 256 * 1024 }), put);
      const [response] = (await answered) as [IncomingMessage];
      response.resume();
      return await hashOfFile(join(www, 'by-sdk.bin'));
    },
  };

  const pids = { replica: cluster.replica.pid, agent: cluster.agent('edge-1').pid };
  const names = ['replica', 'agent'] as const;
  const idle = { replica: rss(pids.replica) / MIB, agent: rss(pids.agent) / MIB };

  /** Runs all of them; returns the most that each process held. */
  const round = async (t: Test): Promise<Record<(typeof names)[number], number>> => {
    const most = { replica: 0, agent: 0 };
    for (const [name, transfer] of Object.entries(transfers)) {
      const curve = new MemoryCurve(pids);
      const start = performance.now();
      const hash = await transfer().catch(String);
      const seconds = (performance.now() - start) / 1000;
      const reports = curve.stop();
      t.equal(hash, sha256, name);
      t.comment(`${name}: ${Math.round(totalBytes / seconds / 1e6)} MB/s; memory in MiB ${JSON.stringify(reports)}`);
      for (const process of names) most[process] = Math.max(most[process], reports[process].max);
    }
    return most;
  };

  const first = await round(t);
  const second = await round(t);
  for (const name of names) {
    const held = `${Math.round(idle[name])} MiB idle, then ${first[name]}, then ${second[name]}`;
    t.ok(second[name] <= first[name] + maxDriftMib, `the memory of the ${name} stays: ${held}`);
    t.ok(second[name] <= idle[name] + maxGrowthMib, `the memory of the ${name} is bounded`);
  }
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
