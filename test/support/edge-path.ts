import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server,
} from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import type { Test } from 'tap';
import { ServiceTable, type ServiceConfig, type HttpServiceConfig } from '../../edge-agent/services/index.ts';
import { createFront, type ExchangeOutcome, type FrontOptions } from '../../gateway/front/index.ts';
import { MemoryOpener } from './stream-pair.ts';

export interface TestServer {
  readonly server: Server;
  readonly port: number;
  readonly sockets: Set<Socket>;
  close(): Promise<void>;
}

export async function listen(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client's view of an edge: front, stream in memory, service table, and an upstream server with the given handler. */
export interface EdgePath {
  readonly port: number;
  readonly upstream: TestServer;
  readonly opener: MemoryOpener;
  readonly outcomes: ExchangeOutcome[];
}

export interface EdgePathOptions {
  readonly handler?: RequestListener;
  readonly service?: Partial<HttpServiceConfig>;
  readonly services?: readonly ServiceConfig[];
  readonly addresses?: readonly string[];
  readonly front?: Partial<FrontOptions>;
  /** PEM; without it the front is plain HTTP/1.1. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Everything ends with the test. The upstream is the service `web` of the edge `edge-1`. */
export async function openEdgePath(t: Pick<Test, 'teardown'>, options: EdgePathOptions = {}): Promise<EdgePath> {
  const upstream = await listen(createServer(options.handler ?? ((_request, response) => response.end('ok'))));
  const table = new ServiceTable({
    services: [
      { name: 'web', kind: 'http', url: `http://127.0.0.1:${upstream.port}`, ...options.service },
      ...(options.services ?? []),
    ],
    addresses: options.addresses ?? [],
  });
  const opener = new MemoryOpener((stream) => table.dispatchStream(stream));
  const outcomes: ExchangeOutcome[] = [];
  const front = createFront({
    opener,
    principalOf: () => 'operator/test',
    onDone: (_target, outcome) => outcomes.push(outcome),
    ...options.front,
  });
  const shouldUpgradeCallback = (request: IncomingMessage): boolean => front.shouldUpgrade(request);
  const { tls } = options;
  // HTTP/2 where the client can, as the api listener does; its compatible interface is that of http.
  const server =
    tls === undefined
      ? createServer({ shouldUpgradeCallback })
      : (createSecureServer({ ...tls, allowHTTP1: true }) as unknown as Server);
  server.on('request', (request, response) => {
    if (!front.request(request, response)) response.writeHead(404).end('not for an edge');
  });
  server.on('checkContinue', (request, response) => {
    if (!front.checkContinue(request, response)) response.writeHead(404).end();
  });
  server.on('upgrade', (request, socket, head) => {
    if (!front.upgrade(request, socket, head)) socket.destroy();
  });
  server.on('connect', (request, socket, head) => front.connect(request, socket, head));
  const gateway = await listen(server);
  t.teardown(async () => {
    await gateway.close();
    await upstream.close();
    await table.destroy();
  });
  return {
    port: gateway.port,
    upstream,
    opener,
    outcomes,
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: Buffer;
}

/** One request on a connection of its own; fails when the answer is cut off. */
export function fetchOnce(
  port: number,
  options: RequestOptions & { readonly body?: string | Buffer },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, agent: false, ...options }, (response) => {
      resolve(readAnswer(response));
    });
    request.on('error', reject);
    request.end(options.body);
  });
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    trailers: response.trailers,
    body: Buffer.concat(chunks),
  };
}

/** Sends bytes as they are and returns all that comes back until the other end closes. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => {
      resolve(text);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** Waits until the condition holds; fails after 5 s. */
export async function until(condition: () => boolean, what = 'the condition'): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
