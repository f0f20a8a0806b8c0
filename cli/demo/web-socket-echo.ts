import type { Server } from 'node:http';
import { WebSocketServer } from 'ws';

const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Echoes the messages of WebSockets at one path; any other upgrade is refused. */
export function echoWebSockets(server: Server, path: string): void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: 1024,
    maxBufferedChunks: 1024,
    perMessageDeflate: false,
  });
  server.on('upgrade', (request, socket, head) => {
    if ((request.url ?? '').split('?', 1)[0] !== path) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  });
}
