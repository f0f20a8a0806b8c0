import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { serveAsChild, startChild, type Child } from './child.ts';

export interface OriginPorts {
  /** `GET /` answers 1 KiB, `GET /bytes/N` N bytes. */
  readonly httpPort: number;
  /** The first line of a connection says what it does: `source N`, `sink N` (answers `done` at the end), `echo`. */
  readonly tcpPort: number;
}

const kibibyte = Buffer.alloc(1024, 'x');
const block = Buffer.alloc(64 * 1024, 'x');

/** The service behind everything that is measured. */
export async function startOrigin(): Promise<Child<OriginPorts>> {
  return await startChild(import.meta.filename, {});
}

async function serve(): Promise<OriginPorts> {
  const http = createHttpServer({ keepAliveTimeout: 600_000 }, answer);
  const tcp = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  http.listen(0, '127.0.0.1');
  tcp.listen(0, '127.0.0.1');
  await Promise.all([once(http, 'listening'), once(tcp, 'listening')]);
  return { httpPort: (http.address() as AddressInfo).port, tcpPort: (tcp.address() as AddressInfo).port };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const length = /^\/bytes\/(\d+)$/.exec(request.url ?? '')?.[1];
  if (length === undefined) {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': kibibyte.length });
    response.end(kibibyte);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length });
  send(response, Number(length), () => response.end());
}

function accept(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first: Buffer) => {
    const end = first.indexOf('\n');
    const [what, length = '0'] = first.toString('latin1', 0, end).split(' ');
    const rest = first.subarray(end + 1);
    if (what === 'source') {
      socket.resume();
      send(socket, Number(length), () => socket.end());
    } else if (what === 'sink') {
      let left = Number(length) - rest.length;
      const take = (bytes: number): void => {
        left -= bytes;
        if (left <= 0) socket.end('done');
      };
      take(0);
      socket.on('data', (chunk: Buffer) => take(chunk.length));
    } else {
      socket.write(rest);
      socket.pipe(socket);
    }
  });
}

/** Writes so many bytes as fast as they are taken. */
function send(to: Socket | ServerResponse, length: number, done: () => void): void {
  let left = length;
  const more = (): void => {
    while (left > 0) {
      const size = Math.min(left, block.length);
      left -= size;
      if (!to.write(size === block.length ? block : block.subarray(0, size)) && left > 0) {
        to.once('drain', more);
        return;
      }
    }
    done();
  };
  more();
}

if (import.meta.main) serveAsChild(serve);
