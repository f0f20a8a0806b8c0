import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeFlags, silentLog } from '../../base/index.ts';
import { saveKeyStore } from '../../certs/index.ts';
import { agentConfigSchema, startAgent } from '../../edge-agent/index.ts';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import type { PemCredentials } from '../baseline/credentials.ts';
import type { OriginPorts } from '../baseline/origin.ts';

interface AgentProcessOptions {
  readonly credentials: PemCredentials;
  readonly linkPort: number;
  readonly origin: OriginPorts;
}

/** An agent in a process of its own; its services are the origin's: `web` by HTTP, `web-tcp` and `tcp` by TCP. */
export async function startAgentProcess(options: AgentProcessOptions): Promise<Child<object>> {
  return await startChild(import.meta.filename, options, runtimeFlags);
}

async function run({ credentials, linkPort, origin }: AgentProcessOptions): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-bench-'));
  await saveKeyStore(folder, credentials);
  const config = agentConfigSchema.parse({
    gateways: [`127.0.0.1:${linkPort}`],
    keys: folder,
    services: [
      { name: 'web', kind: 'http', url: `http://127.0.0.1:${origin.httpPort}` },
      { name: 'web-tcp', kind: 'tcp', address: `127.0.0.1:${origin.httpPort}` },
      { name: 'tcp', kind: 'tcp', address: `127.0.0.1:${origin.tcpPort}` },
    ],
  });
  await startAgent({ config, log: silentLog, version: '0.0.0' });
  process.once('SIGTERM', () => {
    void rm(folder, { recursive: true }).finally(() => process.exit(0));
  });
  return {};
}

if (import.meta.main) serveAsChild(run);
