import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveKeyStore } from '../../certs/index.ts';
import { connect } from '../../sdk/index.ts';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import type { ClientJob, ClientResult } from '../baseline/client.ts';
import type { PemCredentials } from '../baseline/credentials.ts';
import { loadDownload, loadRequests, loadUpload } from '../baseline/load.ts';
import type { ReplicaPorts } from './replica-process.ts';

interface SdkClientOptions {
  readonly credentials: PemCredentials;
  readonly ports: ReplicaPorts;
  readonly job: ClientJob;
}

/** Runs one job over streams of the SDK, in a process of its own. */
export async function runSdkClient(options: SdkClientOptions): Promise<ClientResult> {
  const child: Child<ClientResult> = await startChild(import.meta.filename, options);
  await child.stop();
  return child.ready;
}

async function run({ credentials, ports, job }: SdkClientOptions): Promise<ClientResult> {
  const keys = await mkdtemp(join(tmpdir(), 'causeway-bench-'));
  await saveKeyStore(keys, credentials);
  await using fleet = await connect({
    config: { replicas: [{ api: `https://127.0.0.1:${ports.api}`, link: `127.0.0.1:${ports.link}` }], keys },
  });
  await rm(keys, { recursive: true });
  const edge = fleet.edge('bench');
  // The link is up, and what the edge is called by is known, before the clock starts.
  await (await edge.fetch('web', '/')).arrayBuffer();
  const dial = async () => edge.dial(job.kind === 'upload' ? 'tcp' : 'web-tcp');
  switch (job.kind) {
    case 'requests':
      return { ...(await loadRequests(dial, job.load)) };
    case 'download':
      return { ...(await loadDownload(dial, job.bytes, job.sockets)) };
    case 'upload':
      return { ...(await loadUpload(dial, job.bytes)) };
  }
}

if (import.meta.main) serveAsChild(run);
