import { request } from 'node:https';
import { startAgentProcess } from './agent-process.ts';
import type { Child } from '../baseline/child.ts';
import { runClient, type ClientJob, type ClientResult } from '../baseline/client.ts';
import { clientOptions, type BenchCredentials } from '../baseline/credentials.ts';
import type { OriginPorts } from '../baseline/origin.ts';
import { startReplicaProcess, type ReplicaPorts } from './replica-process.ts';
import { runSdkClient } from './sdk-client.ts';

/** The tunnel, all of it running: a replica and an agent before the same origin as the baselines. */
export interface Tunnel {
  readonly replica: Child<ReplicaPorts>;
  readonly agent: Child<object>;
  /** Over streams of the SDK. */
  streams(job: ClientJob): Promise<ClientResult>;
  /** By HTTPS through `/edges/...`. */
  front(job: ClientJob): Promise<ClientResult>;
  stop(): Promise<void>;
}

export async function startTunnel(credentials: BenchCredentials, origin: OriginPorts): Promise<Tunnel> {
  const replica = await startReplicaProcess(credentials.relay);
  const { link, api } = replica.ready;
  await allow(api, credentials, 'bench');
  const agent = await startAgentProcess({ credentials: credentials.edge, linkPort: link, origin });
  return {
    replica,
    agent,
    streams: (job) => runSdkClient({ credentials: credentials.client, ports: replica.ready, job }),
    front: (job) => runClient({ port: api, credentials: credentials.client, job: throughFront(job) }),
    async stop() {
      await agent.stop();
      await replica.stop();
    },
  };
}

function throughFront(job: ClientJob): ClientJob {
  const prefix = '/edges/bench/web';
  switch (job.kind) {
    case 'requests':
      return { ...job, load: { ...job.load, path: `${prefix}${job.load.path ?? '/'}` } };
    case 'download':
      return { ...job, prefix };
    case 'upload':
      throw new Error('the front is measured by requests and downloads');
  }
}

/** Puts an edge on the whitelist. */
export function allow(port: number, credentials: BenchCredentials, name: string): Promise<void> {
  const body = JSON.stringify({
    apiVersion: 'causeway.io/v1',
    kind: 'EdgeNode',
    metadata: { name },
    spec: { admission: 'Allowed' },
  });
  return new Promise((resolve, reject) => {
    const path = '/apis/causeway.io/v1/edgenodes';
    const call = request(
      { ...clientOptions(credentials.client), host: '127.0.0.1', port, path, method: 'POST' },
      (response) => {
        response.resume();
        if (response.statusCode === 201) response.once('end', resolve);
        else reject(new Error(`the edge was not allowed: HTTP ${response.statusCode ?? 0}`));
      },
    );
    call.once('error', reject);
    call.end(body);
  });
}
