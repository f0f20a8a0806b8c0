import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';
import type { ServiceConfig } from '../support/cluster.ts';
import { listen, type TestServer } from '../support/edge-path.ts';
import { freePort } from '../support/program.ts';

/** What stands at an edge: a web server, an echo, and services that fail in their own ways. */
export interface Upstream {
  readonly web: TestServer;
  readonly echoPort: number;
  readonly services: readonly ServiceConfig[];
  /** Bodies that `POST /slow` got; it never answers. */
  readonly slowBodies: readonly string[];
  /** Requests for `/endless` whose connection is open. */
  readonly endless: () => number;
}

/** Ends with the test. `name` stands in what the web server says. */
export async function startUpstream(t: Pick<Test, 'teardown'>, name: string): Promise<Upstream> {
  const slowBodies: string[] = [];
  let endless = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (path === '/slow') void readText(request).then((text) => slowBodies.push(text));
    else if (path === '/endless') {
      endless++;
      response.on('close', () => endless--);
      response.write('first');
    } else answer(name, path, request, response);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/refuse-body') {
      response.writeHead(413, { connection: 'close' }).end('too long');
      return;
    }
    response.writeContinue();
    answer(name, request.url ?? '/', request, response);
  });
  const web = await listen(server);
  const sockets = new WebSocketServer({ server, path: '/ws' });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', () => undefined);
  });
  const echo = await listenTcp(createTcpServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)));
  const mute = await listenTcp(createTcpServer((socket) => socket.resume()));
  t.teardown(async () => {
    sockets.close();
    await web.close();
    await echo.close();
    await mute.close();
  });
  const services: ServiceConfig[] = [
    { name: 'web', kind: 'http', url: `http://127.0.0.1:${web.port}` },
    { name: 'hangs', kind: 'http', url: `http://127.0.0.1:${mute.port}`, headTimeoutMs: 300 },
    { name: 'refuses', kind: 'http', url: `http://127.0.0.1:${await freePort()}` },
    { name: 'echo', kind: 'tcp', address: `127.0.0.1:${echo.port}` },
  ];
  return { web, echoPort: echo.port, services, slowBodies, endless: () => endless };
}

function answer(name: string, path: string, request: IncomingMessage, response: ServerResponse): void {
  const [plain = ''] = path.split('?', 1);
  switch (plain) {
    case '/hash':
      void hashOf(request).then(({ bytes, sha256 }) => response.end(JSON.stringify({ bytes, sha256 })));
      return;
    case '/echo':
      response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'text/plain' });
      request.pipe(response);
      return;
    case '/events':
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
      // The second event waits for the first to have come: the client says so by the request's end.
      request.resume().on('end', () => response.end('data: two\n\n'));
      return;
    case '/trailers':
      response.writeHead(200, { trailer: 'x-sum' });
      response.write('body');
      response.addTrailers({ 'x-sum': '42' });
      response.end();
      return;
    case '/request-trailers':
      void readText(request).then((text) => response.end(JSON.stringify({ text, trailers: request.trailers })));
      return;
    case '/cut':
      response.writeHead(200, { 'content-length': 1000 });
      response.write('part', () => setImmediate(() => response.destroy()));
      return;
    case '/head':
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers }));
      return;
    default:
      response.writeHead(200, { 'x-edge': name });
      response.end(`${name} ${request.method} ${path}`);
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of request) text += String(chunk);
  } catch {
    // Cut off: what came counts.
  }
  return text;
}

async function hashOf(request: IncomingMessage): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    hash.update(chunk as Buffer);
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function listenTcp(server: Server): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
