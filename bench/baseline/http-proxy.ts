import { once } from 'node:events';
import { Agent, request as startRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { serveAsChild, startChild, type Child } from './child.ts';
import { type PemCredentials, serverOptions } from './credentials.ts';

interface ProxyOptions {
  readonly server: PemCredentials;
  /** Of the origin. */
  readonly port: number;
}

/** A plain reverse proxy of one hop: mTLS in front, kept-alive connections to the service behind. */
export async function startHttpProxy(port: number, server: PemCredentials): Promise<Child<{ readonly port: number }>> {
  return await startChild(import.meta.filename, { server, port } satisfies ProxyOptions);
}

async function serve({ server, port }: ProxyOptions): Promise<{ port: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1024 });
  const forward = (request: IncomingMessage, response: ServerResponse): void => {
    const { method, url: path, headers } = request;
    const upstream = startRequest({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response, () => undefined);
    });
    upstream.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    request.pipe(upstream);
  };
  const listener = createServer({ ...serverOptions(server), keepAliveTimeout: 600_000, noDelay: true }, forward);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return { port: (listener.address() as AddressInfo).port };
}

if (import.meta.main) serveAsChild(serve);
