/** The services at an edge that scenarios call. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { serveRole, yieldToOthers } from '../role.ts';
import { dribble, pour } from '../sources.ts';
import { transfer, TRANSFER_HEAD_BYTES, type TransferResult } from '../transfer.ts';

export interface OriginPorts {
  readonly web: number;
  readonly transfer: number;
  readonly endless: number;
  readonly dribble: number;
  readonly sink: number;
  readonly drain: number;
}

let drained = 0;
const counts = new Map<string, number>();
const results: TransferResult[] = [];
const sockets = new Set<Socket>();

async function answerWeb(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://origin');
  const [, what = '', argument = ''] = pathname.split('/');
  switch (what) {
    case 'bytes':
      response.end(Buffer.alloc(Number(argument), 'b'));
      return;
    case 'count':
      for await (const _ of request);
      counts.set(argument, (counts.get(argument) ?? 0) + 1);
      response.end('counted');
      return;
    case 'endless':
      pour(response);
      return;
    case 'dribble':
      dribble(response);
      return;
    case 'sink':
      // It reads nothing and answers nothing.
      return;
    case 'drain': {
      let bytes = 0;
      for await (const chunk of request) bytes += (chunk as Buffer).length;
      response.end(String(bytes));
      return;
    }
    default:
      response.writeHead(404).end();
  }
}

async function takeTransfer(socket: Socket): Promise<void> {
  let head = Buffer.alloc(0);
  while (head.length < TRANSFER_HEAD_BYTES) {
    socket.resume();
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.pause();
    head = Buffer.concat([head, chunk]);
  }
  const id = head.readUInt32BE(0);
  results.push(await transfer(socket, id, head.readDoubleBE(4), head.subarray(TRANSFER_HEAD_BYTES), { bytes: 0 }));
}

async function listen(server: Server): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function tcp(take: (socket: Socket) => unknown): Server {
  return createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, take);
}

const web = createHttpServer({ keepAliveTimeout: 120_000, noDelay: true }, (request, response) => {
  response.on('error', () => undefined);
  request.on('error', () => undefined);
  void answerWeb(request, response).catch(() => response.destroy());
});
web.requestTimeout = 0;

const commands = {
  results: () => results,
  counts: () => [...counts],
  sockets: () => sockets.size,
  /** Bytes that came to `drain`, and when that was. */
  drained: () => ({ bytes: drained, at: Date.now() }),
  yieldToOthers,
};

export type OriginRole = typeof commands;

const ports: OriginPorts = {
  web: await listen(web),
  transfer: await listen(tcp((socket) => void takeTransfer(socket).catch(() => socket.destroy()))),
  endless: await listen(tcp(pour)),
  dribble: await listen(tcp(dribble)),
  sink: await listen(tcp(() => {})),
  drain: await listen(
    tcp((socket) =>
      socket
        .on('data', (chunk: Buffer) => {
          drained += chunk.length;
        })
        .resume(),
    ),
  ),
};
serveRole(ports, commands);
