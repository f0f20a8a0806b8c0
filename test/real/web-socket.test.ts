import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { listen } from '../support/edge-path.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { within } from '../support/wait-for.ts';

test('WebSockets through the gateway', async (t) => {
  const server = createServer();
  const web = await listen(server);
  const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered][0] ?? false });
  let pings = 0;
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('ping', () => pings++);
  });
  t.teardown(async () => {
    sockets.close();
    await web.close();
  });
  const cluster = await ProcessCluster.start(t, {
    services: () => [{ name: 'ws', kind: 'http', url: `http://127.0.0.1:${web.port}` }],
  });
  const { ca, cert, key } = cluster.tlsFiles;
  const tls = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
  const url = `${cluster.apiUrl.replace('https', 'wss')}/edges/edge-1/ws/any`;
  const open = async (protocols: string[] = []): Promise<WebSocket> => {
    const socket = new WebSocket(url, protocols, { ...tls, perMessageDeflate: false });
    await within('the upgrade', once(socket, 'open'));
    return socket;
  };

  await t.test('messages of all sizes come back in order', async (t) => {
    const socket = await open(['chat']);
    t.equal(socket.protocol, 'chat');
    const messages = [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 5_000_000].map((bytes) => randomBytes(bytes));
    const echoed: Buffer[] = [];
    const all = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        echoed.push(data);
        if (echoed.length === messages.length) resolve();
      });
    });
    for (const message of messages) socket.send(message);
    await within('the echoes', all, 30_000);
    t.ok(echoed.every((data, index) => messages[index]?.equals(data)));
    socket.ping();
    await within('the pong', once(socket, 'pong'));
    t.equal(pings, 1);
    socket.close(4000, 'enough');
    const [code, reason] = (await within('the close', once(socket, 'close'))) as [number, Buffer];
    t.equal(code, 4000);
    t.equal(String(reason), 'enough');
  });

  await t.test('many at once', async (t) => {
    const all = await Promise.all(Array.from({ length: 100 }, () => open()));
    const echoes = await Promise.all(
      all.map(async (socket, index) => {
        socket.send(`hello ${index}`);
        const [data] = (await within('the echo', once(socket, 'message'))) as [Buffer];
        return String(data) === `hello ${index}`;
      }),
    );
    t.ok(echoes.every(Boolean));
    for (const socket of all) socket.terminate();
  });

  await t.test('the service is told when the client is cut off', async (t) => {
    const connected = once(sockets, 'connection');
    const socket = await open();
    const [peer] = (await connected) as [WebSocket];
    const gone = once(peer, 'close');
    socket.terminate();
    const [code] = (await within('the close', gone)) as [number];
    t.equal(code, 1006);
  });
});
