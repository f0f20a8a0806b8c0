import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Test } from 'tap';
import { systemClock } from '../../base/index.ts';
import type { ServiceConfig } from './cluster.ts';
import { FedEdge } from './fed-edge.ts';

/** A Kubernetes API at an edge, and the service that declares it; what the test puts there is fed to replicas. */
export async function startKube(t: Pick<Test, 'teardown'>): Promise<{ edge: FedEdge; service: ServiceConfig }> {
  const edge = new FedEdge(systemClock);
  const server = createServer((request, response) => {
    const abort = new AbortController();
    response.on('close', () => abort.abort());
    const { method = 'GET', url = '/' } = request;
    edge.transport({ method, path: url, headers: {}, signal: abort.signal }).then(
      async ({ status, body }) => {
        response.writeHead(status, { 'Content-Type': 'application/json' });
        response.flushHeaders();
        await pipeline(Readable.from(body), response).catch(() => undefined);
      },
      () => response.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    await edge.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const cache = { resources: ['pods'], dropManagedFields: true, secrets: false, maxBytes: 1e8, idleStopMs: 0 };
  return { edge, service: { name: 'kube', kind: 'http', url: `http://127.0.0.1:${port}`, cache } };
}
