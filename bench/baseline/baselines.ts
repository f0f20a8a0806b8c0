import { type ClientJob, type ClientResult, runClient } from './client.ts';
import { makeCredentials, type BenchCredentials } from './credentials.ts';
import { startHttpProxy } from './http-proxy.ts';
import { startOrigin, type OriginPorts } from './origin.ts';
import { startTlsRelay } from './tls-relay.ts';

/** What the tunnel is measured against, all of it running. */
export interface Baselines {
  readonly credentials: BenchCredentials;
  readonly origin: OriginPorts;
  /** Straight to the service, without TLS. */
  direct(job: ClientJob): Promise<ClientResult>;
  /** mTLS, two relay processes, the service. */
  relay(job: ClientJob): Promise<ClientResult>;
  /** mTLS, one reverse proxy, the service. HTTP only. */
  proxy(job: ClientJob): Promise<ClientResult>;
  stop(): Promise<void>;
}

export async function startBaselines(): Promise<Baselines> {
  const credentials = await makeCredentials();
  const origin = await startOrigin();
  const { httpPort, tcpPort } = origin.ready;
  const httpRelay = await startTlsRelay(httpPort, credentials);
  const tcpRelay = await startTlsRelay(tcpPort, credentials);
  const httpProxy = await startHttpProxy(httpPort, credentials.relay);
  const client = credentials.client;
  const isTcp = (job: ClientJob): boolean => job.kind === 'upload';
  return {
    credentials,
    origin: origin.ready,
    direct: (job) => runClient({ port: isTcp(job) ? tcpPort : httpPort, job }),
    relay: (job) => runClient({ port: (isTcp(job) ? tcpRelay : httpRelay).port, credentials: client, job }),
    proxy: (job) => runClient({ port: httpProxy.ready.port, credentials: client, job }),
    async stop() {
      await Promise.all([httpProxy.stop(), httpRelay.stop(), tcpRelay.stop()]);
      await origin.stop();
    },
  };
}
