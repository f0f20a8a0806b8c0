import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { type Test, test } from 'tap';
import { waitFor, within } from '../support/wait-for.ts';
import { WeakLink, type WeakLinkOptions } from '../support/weak-link.ts';

/** A service whose far ends of connections the test holds in its hand. */
class Service {
  readonly server: Server;
  readonly sockets: Socket[] = [];

  constructor(onSocket: (socket: Socket) => void = (socket) => socket.pipe(socket)) {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      onSocket(socket);
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }
}

async function linkTo(t: Test, service: Service, options: Omit<WeakLinkOptions, 'target'> = {}): Promise<WeakLink> {
  service.server.listen(0, '127.0.0.1');
  await once(service.server, 'listening');
  const weak = await WeakLink.start({ target: { port: service.port }, ...options });
  t.teardown(async () => {
    await weak.close();
    service.server.close();
  });
  return weak;
}

async function dial(t: Test, weak: WeakLink): Promise<Socket> {
  const socket = connect({ port: weak.port, host: weak.host, allowHalfOpen: true });
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  const count = weak.connections.length;
  await once(socket, 'connect');
  await waitFor('the connection to reach the target', () => weak.connections.length > count);
  return socket;
}

/** Keeps what a socket receives. */
function collect(socket: Socket): { bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { bytes: () => Buffer.concat(chunks) };
}

async function roundTrip(socket: Socket, text = 'ping'): Promise<string> {
  socket.write(text);
  const [answer] = (await within('an answer', once(socket, 'data'))) as [Buffer];
  return answer.toString();
}

async function exchange(t: Test, weak: WeakLink, length: number): Promise<void> {
  const socket = await dial(t, weak);
  const sent = randomBytes(length);
  const received = collect(socket);
  socket.end(sent);
  await within('the end of the echo', once(socket, 'end'), 30_000);
  t.ok(received.bytes().equals(sent));
}

test('bytes pass both ways unchanged when there are no limits', async (t) => {
  await exchange(t, await linkTo(t, new Service()), 8 * 1024 * 1024);
});

test('bytes pass in order and unchanged over a thin, slow and jittery link', async (t) => {
  const weak = await linkTo(t, new Service(), { delayMs: 5, jitterMs: 20, bitsPerSecond: 20e6 });
  await exchange(t, weak, 256 * 1024);
});

test('a delayed answer does not come before twice the delay', async (t) => {
  const weak = await linkTo(t, new Service(), { delayMs: 40 });
  const socket = await dial(t, weak);
  const before = performance.now();
  t.equal(await roundTrip(socket), 'ping');
  t.ok(performance.now() - before >= 79);
});

test('all connections together get no more than the rate of the link', async (t) => {
  const weak = await linkTo(t, new Service(), { toTarget: { bitsPerSecond: 8e6 } });
  const before = performance.now();
  await Promise.all([exchange(t, weak, 100_000), exchange(t, weak, 100_000)]);
  t.ok(performance.now() - before >= 199);
});

test('the shape can change while connections are open', async (t) => {
  const weak = await linkTo(t, new Service(), { delayMs: 60_000 });
  const socket = await dial(t, weak);
  weak.shape({ delayMs: 0 });
  t.equal(await roundTrip(socket), 'ping');
});

test('a cut resets both sides of every connection', async (t) => {
  const service = new Service();
  const weak = await linkTo(t, service);
  const sockets = [await dial(t, weak), await dial(t, weak)];
  const errors = [...sockets, ...service.sockets].map((socket) => once(socket, 'error'));
  t.equal(errors.length, 4);
  weak.cutAll();
  for (const error of errors) {
    t.match(await within('a reset', error), [{ code: 'ECONNRESET' }]);
  }
  await waitFor('no connections', () => weak.connections.length === 0);
});

test('a cut of one connection leaves the others alone', async (t) => {
  const weak = await linkTo(t, new Service());
  const first = await dial(t, weak);
  const second = await dial(t, weak);
  const reset = once(first, 'error');
  weak.cutOne();
  t.match(await within('a reset', reset), [{ code: 'ECONNRESET' }]);
  t.equal(await roundTrip(second), 'ping');
});

test('a close ends both sides without an error', async (t) => {
  const service = new Service();
  const weak = await linkTo(t, service);
  const socket = await dial(t, weak);
  const [far] = service.sockets;
  if (far === undefined) throw new Error('no far end');
  socket.resume();
  const ends = [once(socket, 'end'), once(far, 'end')];
  weak.closeAll();
  await within('both ends', Promise.all(ends));
  t.equal(socket.errored, null);
});

test('a reset of one end reaches the other', async (t) => {
  const service = new Service();
  const weak = await linkTo(t, service);
  const socket = await dial(t, weak);
  const reset = once(socket, 'error');
  for (const far of service.sockets) far.resetAndDestroy();
  t.match(await within('a reset', reset), [{ code: 'ECONNRESET' }]);
});

test('half a close passes behind the bytes before it', async (t) => {
  const service = new Service((far) => {
    const received = collect(far);
    far.on('end', () => far.end(`got ${received.bytes().length}`));
  });
  const weak = await linkTo(t, service, { delayMs: 5, jitterMs: 5 });
  const socket = await dial(t, weak);
  const received = collect(socket);
  socket.write(Buffer.alloc(100_000));
  socket.end();
  await within('the end', once(socket, 'end'));
  t.equal(received.bytes().toString(), 'got 100000');
});

test('through a black hole nothing passes and nobody is told, and a restored link loses nothing', async (t) => {
  const weak = await linkTo(t, new Service());
  const dark = await dial(t, weak);
  const [connection] = weak.connections;
  const bright = await dial(t, weak);
  const received = collect(dark);
  let events = 0;
  for (const name of ['error', 'end', 'close']) dark.on(name, () => events++);
  weak.blackHole(connection);
  dark.write('one ');
  for (let i = 0; i < 5; i++) t.equal(await roundTrip(bright), 'ping');
  t.equal(received.bytes().length + events, 0);
  dark.write('two');
  weak.restore(connection);
  await waitFor('both', () => received.bytes().toString() === 'one two');
});

test('a connection that is made into a black hole stays dark until it is restored', async (t) => {
  const weak = await linkTo(t, new Service());
  weak.blackHole();
  const socket = await dial(t, weak);
  const answer = roundTrip(socket);
  t.equal(weak.connections[0]?.bytes('toTarget'), 0);
  weak.restore();
  t.equal(await answer, 'ping');
});

test('a half-open connection passes one direction', async (t) => {
  const service = new Service(() => undefined);
  const weak = await linkTo(t, service);
  const socket = await dial(t, weak);
  const [far] = service.sockets;
  if (far === undefined) throw new Error('no far end');
  const atClient = collect(socket);
  const atTarget = collect(far);
  weak.halfOpen('toClient');
  far.write('lost?');
  socket.write('through');
  await waitFor('the open direction', () => atTarget.bytes().toString() === 'through');
  t.equal(atClient.bytes().length, 0);
  weak.restore();
  await waitFor('the other direction', () => atClient.bytes().toString() === 'lost?');
});

test('a link that swallows takes everything, and is cut when it is restored', async (t) => {
  const service = new Service(() => undefined);
  const weak = await linkTo(t, service);
  const socket = await dial(t, weak);
  const [connection] = weak.connections;
  connection?.swallow();
  socket.write(Buffer.alloc(32 * 1024 * 1024));
  await within('the whole write to be taken', once(socket, 'drain'));
  t.equal(connection?.bytes('toTarget'), 0);
  const reset = once(socket, 'error');
  weak.restore();
  t.match(await within('a reset', reset), [{ code: 'ECONNRESET' }]);
});

test('a link that refuses keeps its connections and takes new ones again on the same port', async (t) => {
  const weak = await linkTo(t, new Service());
  const old = await dial(t, weak);
  const { port } = weak;
  weak.refuse();
  const refused = connect({ port, host: weak.host });
  const [error] = (await once(refused, 'error')) as [Error];
  t.match(error, { code: 'ECONNREFUSED' });
  t.equal(await roundTrip(old), 'ping');
  await weak.admit();
  t.equal(weak.port, port);
  t.equal(await roundTrip(await dial(t, weak)), 'ping');
});

test('a target that is not there resets the client', async (t) => {
  const service = new Service();
  const weak = await linkTo(t, service);
  service.server.close();
  const socket = connect({ port: weak.port, host: weak.host });
  const [error] = (await within('a reset', once(socket, 'error'))) as [Error];
  t.match(error, { code: 'ECONNRESET' });
});
