import { once } from 'node:events';
import { createServer } from 'node:https';
import { Socket } from 'node:net';
import { test } from 'tap';
import { Newcomers } from '../../gateway/newcomers.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';

function start(most: number) {
  const clock = new VirtualClock();
  const server = createServer();
  server.removeAllListeners('connection');
  const newcomers = new Newcomers(server, { clock, handshakeMs: 10_000, most });
  const connect = (): Socket => {
    const socket = new Socket();
    server.emit('connection', socket);
    return socket;
  };
  /** Time goes on, and sockets get to say that they are closed. */
  const pass = async (ms: number): Promise<void> => {
    const until = clock.now() + ms;
    while (clock.step(until));
    await new Promise(setImmediate);
  };
  return { clock, newcomers, connect, pass, server };
}

test('a connection that does not say who it is is cut before the time of the handshake is over', async (t) => {
  const { newcomers, connect, pass, clock } = start(10);
  const early = connect();
  await pass(5000);
  const [late, known] = [connect(), connect()];
  newcomers.welcome(known);
  await pass(2400);
  t.notOk(early.destroyed);
  await pass(200);
  t.ok(early.destroyed, 'at seven and a half seconds');
  t.notOk(late.destroyed, 'each has its own time');
  await pass(5000);
  t.ok(late.destroyed);
  t.notOk(known.destroyed);
  t.match(newcomers, { waiting: 0, cut: 2 });
  t.equal(clock.pending, 0, 'no timer without anybody to wait for');
});

test('when too many wait, those who have been silent for long make room', async (t) => {
  const { newcomers, connect, pass } = start(3);
  const silent = [connect(), connect(), connect()];
  await pass(2500);
  const good = connect();
  t.strictSame(
    [...silent, good].map(({ destroyed }) => destroyed),
    [true, false, false, false],
  );
  t.equal(newcomers.waiting, 3);
});

test('when too many come at once, the latest is turned away, and nobody half way', async (t) => {
  const { newcomers, connect, pass } = start(3);
  const first = [connect(), connect(), connect()];
  await pass(500);
  t.ok(connect().destroyed);
  t.notOk(first.some(({ destroyed }) => destroyed));
  newcomers.welcome(first[0] ?? new Socket());
  t.notOk(connect().destroyed, 'one has got in: there is room for another');
});

test('a connection that goes by itself leaves nothing', async (t) => {
  const { newcomers, connect, server, clock } = start(3);
  const socket = connect();
  socket.destroy();
  await once(socket, 'close');
  t.equal(newcomers.waiting, 0);
  server.emit('close');
  t.equal(clock.pending, 0);
});
