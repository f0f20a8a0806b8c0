import t, { type Test } from 'tap';
import { Endpoint } from '../../tunnel/endpoint.ts';
import type { AcceptorCore } from '../../tunnel/acceptor-core.ts';
import { FrameType, type Frame, type StreamTarget } from '../../tunnel/frame.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import { LoopPort } from '../../tunnel/loop-port.ts';
import { MemoryWire } from '../../tunnel/memory-wire.ts';
import type { OpenerCore } from '../../tunnel/opener-core.ts';
import type { StreamUser } from '../../tunnel/stream-core.ts';
import { Tombstones } from '../../tunnel/tombstones.ts';
import { tunnelError } from '../../tunnel/tunnel-error.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { HostilePeer, linkEnd, openFrame, run } from './hostile-peer.ts';

const target: StreamTarget = {
  edge: 'edge-1',
  service: 'hello',
  kind: 'tcp',
  verb: 'connect',
  path: '',
  principal: 'p',
};

/** Records what a stream tells its user. */
function watch(core: OpenerCore | AcceptorCore): string[] {
  const events: string[] = [];
  const user: StreamUser = {
    onAccepted: () => events.push('accepted'),
    onReadable: () => events.push('readable'),
    onWritable: () => events.push('writable'),
    onClosed: (error) => events.push(`closed ${error?.code ?? 'complete'}`),
  };
  core.user = user;
  return events;
}

interface Acceptance {
  readonly clock: VirtualClock;
  readonly endpoint: Endpoint;
  /** A peer on a link of its own. */
  readonly dial: () => HostilePeer;
  readonly cores: AcceptorCore[];
}

/** An endpoint that accepts, whose peers the test plays. */
function acceptance(limits: Partial<TunnelLimits> = {}): Acceptance {
  const clock = new VirtualClock();
  const all = { ...defaultLimits, ...limits };
  const cores: AcceptorCore[] = [];
  const endpoint = new Endpoint({ clock, limits: all, instance: 'me', onStream: (core) => cores.push(core) });
  const dial = (): HostilePeer => {
    const [mine, wire] = MemoryWire.pair(clock);
    linkEnd({ clock, wire, role: 'acceptor', limits: all, streams: (link) => endpoint.attach(link) });
    const peer = new HostilePeer(mine);
    peer.send({ type: FrameType.HELLO, channel: 0, body: {} });
    run(clock, 1);
    return peer;
  };
  return { clock, endpoint, dial, cores };
}

const open = (fields: Parameters<typeof openFrame>[0] = {}): Frame =>
  openFrame({ instance: 'me', id: 'ab'.repeat(16), ...fields });

/** Sends a frame and answers with the last frame of a channel that came back. */
function ask(clock: VirtualClock, peer: HostilePeer, frame: Frame): Frame | undefined {
  peer.send(frame);
  run(clock, 30);
  return peer.frames.findLast(({ channel }) => channel === frame.channel);
}

t.test(
  'an OPEN for another instance, or for none, is refused with the own instance, and executes nothing',
  async (t) => {
    const { clock, dial, cores } = acceptance();
    const peer = dial();
    t.match(ask(clock, peer, open({ instance: 'someone' })), {
      type: FrameType.REFUSE,
      code: 'other-instance',
      instance: 'me',
    });
    t.match(ask(clock, peer, open({ channel: 3, instance: '' })), {
      type: FrameType.REFUSE,
      code: 'other-instance',
      instance: 'me',
    });
    t.equal(cores.length, 0);
  },
);

t.test('an OPEN that comes twice is one stream, on the path of the later attempt', async (t) => {
  const { clock, dial, cores } = acceptance();
  const [one, other] = [dial(), dial()];
  ask(clock, one, open());
  t.equal(cores.length, 1);
  cores[0]?.accept();
  t.match(ask(clock, other, open({ attempt: 2 })), { type: FrameType.ACCEPT });
  t.equal(cores.length, 1);
  t.match(one.frames.at(-1), { type: FrameType.DETACH, channel: 1, code: 'superseded' });
});

t.test('an attempt that comes late is told that it is superseded, and moves nothing', async (t) => {
  const { clock, dial, cores } = acceptance();
  const [one, other] = [dial(), dial()];
  ask(clock, one, open({ attempt: 2 }));
  for (const type of [FrameType.OPEN, FrameType.RESUME] as const) {
    const channel = type === FrameType.OPEN ? 1 : 3;
    t.match(ask(clock, other, open({ attempt: 1, type, channel })), { type: FrameType.DETACH, code: 'superseded' });
  }
  cores[0]?.write(Buffer.from('x'));
  run(clock, 30);
  t.equal(one.of(FrameType.DATA).length, 1);
});

t.test('the same id with another head, or another target, is a head-mismatch', async (t) => {
  const { clock, dial, cores } = acceptance();
  const peer = dial();
  ask(clock, peer, open({ head: Buffer.from('one') }));
  t.match(ask(clock, peer, open({ channel: 3, attempt: 2, head: Buffer.from('two') })), {
    type: FrameType.REFUSE,
    code: 'head-mismatch',
  });
  const elsewhere = { ...target, service: 'other' };
  t.match(ask(clock, peer, open({ channel: 5, attempt: 2, target: elsewhere, type: FrameType.RESUME })), {
    code: 'head-mismatch',
  });
  ask(clock, peer, open({ channel: 7, target: { ...target, principal: 'someone else' }, head: Buffer.from('one') }));
  t.equal(cores.length, 2, 'streams of another principal are others');
});

t.test('a RESUME of a stream that was never heard of is gone, and so is its OPEN when it comes late', async (t) => {
  const { clock, dial, cores, endpoint } = acceptance();
  const peer = dial();
  t.match(ask(clock, peer, open({ type: FrameType.RESUME, attempt: 2 })), {
    type: FrameType.REFUSE,
    code: 'gone',
    instance: 'me',
  });
  t.match(ask(clock, peer, open({ channel: 3 })), { type: FrameType.REFUSE, code: 'gone' });
  t.equal(cores.length, 0);
  t.equal(endpoint.tombstones, 1);
  run(clock, defaultLimits.tombstoneMs + 2000);
  t.equal(endpoint.tombstones, 0);
});

t.test('a refusal is repeated to an OPEN that comes again', async (t) => {
  const { clock, dial, cores } = acceptance();
  const peer = dial();
  ask(clock, peer, open());
  cores[0]?.refuse(tunnelError('service-unknown', { retryAfterMs: 5 }));
  run(clock, 10);
  t.match(peer.frames.at(-1), { type: FrameType.REFUSE, code: 'service-unknown', retryAfterMs: 5 });
  t.match(ask(clock, peer, open({ channel: 3, attempt: 2 })), {
    type: FrameType.REFUSE,
    code: 'service-unknown',
    retryAfterMs: 5,
  });
  t.equal(cores.length, 1);
});

t.test('a stream that failed answers its RESUME with RESET', async (t) => {
  const { clock, dial, cores, endpoint } = acceptance();
  const peer = dial();
  ask(clock, peer, open());
  const [core] = cores;
  core?.accept();
  run(clock, 30);
  core?.abort(tunnelError('upstream-failed'));
  t.match(ask(clock, peer, open({ channel: 3, attempt: 2, type: FrameType.RESUME })), {
    type: FrameType.RESET,
    ack: false,
    code: 'upstream-failed',
  });
  peer.send({ type: FrameType.RESET, channel: 3, ack: true, code: 'x', message: '' });
  run(clock, 10);
  t.equal(endpoint.streams, 0);
  t.match(ask(clock, peer, open({ channel: 5, attempt: 3, type: FrameType.RESUME })), {
    type: FrameType.RESET,
    code: 'upstream-failed',
  });
});

t.test('a finished stream says how much it received when it is asked again', async (t) => {
  const { clock, dial, cores, endpoint } = acceptance();
  const peer = dial();
  ask(clock, peer, open());
  const [core] = cores;
  if (core === undefined) return;
  watch(core);
  core.end();
  peer.send(
    { type: FrameType.DATA, channel: 1, offset: 0, payload: Buffer.from('abc'), blocked: false },
    { type: FrameType.FIN, channel: 1, offset: 3 },
  );
  run(clock, 30);
  core.read(100);
  peer.send({ type: FrameType.CREDIT, channel: 1, received: 1, limit: 1 });
  run(clock, 30);
  t.equal(endpoint.streams, 0);
  t.strictSame(ask(clock, peer, open({ channel: 3, attempt: 2, type: FrameType.RESUME })), {
    type: FrameType.RESUMED,
    channel: 3,
    received: 4,
    limit: 4,
  });
  t.match(ask(clock, peer, { type: FrameType.RESET, channel: 3, ack: false, code: 'c', message: '' }), {
    type: FrameType.RESET,
    ack: true,
  });
});

t.test('a byte beyond the credit resets its stream, and no other', async (t) => {
  const { clock, dial, cores } = acceptance({ windowBytes: 1000, openCreditBytes: 1000 });
  const peer = dial();
  ask(clock, peer, open());
  ask(clock, peer, open({ channel: 3, id: 'cd'.repeat(16) }));
  const events = cores.map(watch);
  peer.send({ type: FrameType.DATA, channel: 1, offset: 0, payload: Buffer.alloc(1001), blocked: false });
  peer.send({ type: FrameType.DATA, channel: 3, offset: 0, payload: Buffer.alloc(1000), blocked: false });
  run(clock, 30);
  t.match(peer.of(FrameType.RESET), [{ channel: 1, code: 'flow-violation' }]);
  t.strictSame(events, [['closed flow-violation'], ['readable']]);
});

t.test('a stream whose path does not come back in time is given up, and its bytes with it', async (t) => {
  const { clock, dial, cores, endpoint } = acceptance({ keepDetachedMs: 5000 });
  const peer = dial();
  ask(clock, peer, open());
  const [core] = cores;
  if (core === undefined) return;
  const events = watch(core);
  core.write(Buffer.alloc(1000));
  ask(clock, peer, { type: FrameType.DETACH, channel: 1, code: 'link-lost' });
  t.equal(endpoint.detachedStreams, 1);
  run(clock, 6000);
  t.strictSame(events, ['closed stream-lost']);
  t.equal(endpoint.retainedBytes, 0);
  t.match(ask(clock, peer, open({ channel: 3, attempt: 2, type: FrameType.RESUME })), {
    type: FrameType.REFUSE,
    code: 'gone',
  });
});

t.test('streams without a path share a budget: the longest detached go first', async (t) => {
  const { clock, dial, cores, endpoint } = acceptance({ detachedBytes: 1500 });
  const peer = dial();
  for (const [index, id] of ['aa', 'bb'].entries()) {
    const channel = 2 * index + 1;
    ask(clock, peer, open({ channel, id: id.repeat(16) }));
    cores[index]?.write(Buffer.alloc(1000));
    ask(clock, peer, { type: FrameType.DETACH, channel, code: 'link-lost' });
  }
  run(clock, 1000);
  t.ok(cores[0]?.closed);
  t.notOk(cores[1]?.closed);
  t.equal(endpoint.retainedBytes, 1000);
});

t.test('who takes no streams refuses them, and so does who drains or has too many', async (t) => {
  const clock = new VirtualClock();
  const endpoint = new Endpoint({ clock, instance: 'me' });
  const [mine, wire] = MemoryWire.pair(clock);
  linkEnd({ clock, wire, role: 'acceptor', streams: (link) => endpoint.attach(link) });
  const peer = new HostilePeer(mine);
  peer.send({ type: FrameType.HELLO, channel: 0, body: {} });
  t.match(ask(clock, peer, open()), { type: FrameType.REFUSE, code: 'kind-unknown' });
  const few = acceptance({ maxLinkStreams: 1 });
  const dialer = few.dial();
  ask(few.clock, dialer, open());
  t.match(ask(few.clock, dialer, open({ channel: 3, id: 'cd'.repeat(16) })), {
    type: FrameType.REFUSE,
    code: 'overloaded',
  });
  few.endpoint.drain();
  t.match(ask(few.clock, dialer, open({ channel: 5, id: 'ef'.repeat(16) })), {
    type: FrameType.REFUSE,
    code: 'draining',
    instance: 'me',
  });
});

t.test('with no room for tombstones that must stay, new streams are refused', async (t) => {
  const { clock, dial } = acceptance({ maxTombstones: 1 });
  const peer = dial();
  ask(clock, peer, open({ type: FrameType.RESUME }));
  t.match(ask(clock, peer, open({ channel: 3, id: 'cd'.repeat(16) })), { type: FrameType.REFUSE, code: 'overloaded' });
});

// The opener's side.

/** Two endpoints in one process. */
function joined(): {
  clock: VirtualClock;
  opener: Endpoint;
  acceptor: Endpoint;
  cores: AcceptorCore[];
  port: LoopPort;
} {
  const clock = new VirtualClock();
  const cores: AcceptorCore[] = [];
  const opener = new Endpoint({ clock });
  const acceptor = new Endpoint({ clock, onStream: (core) => cores.push(core) });
  const [one, other] = LoopPort.pair('loop', clock);
  one.user = opener.attach(one);
  other.user = acceptor.attach(other);
  return { clock, opener, acceptor, cores, port: one };
}

function emptyAtEnd(t: Test, ...endpoints: Endpoint[]): void {
  for (const endpoint of endpoints) {
    t.match(endpoint, { streams: 0, detachedStreams: 0, retainedBytes: 0 });
    t.equal(endpoint.pool.freeBytes, defaultLimits.windowGrowthBytes);
  }
}

t.test('a stream opens, carries bytes both ways, and ends with nothing left', async (t) => {
  const { clock, opener, acceptor, cores } = joined();
  const core = opener.open(target, { head: Buffer.from('head') });
  const events = watch(core);
  core.write(Buffer.from('ping'));
  core.end();
  clock.settle();
  const [taken] = cores;
  if (taken === undefined) return;
  const takenEvents = watch(taken);
  t.equal(taken.head.toString(), 'head');
  t.equal(taken.read(100).toString(), 'ping');
  t.ok(taken.atEnd);
  taken.write(Buffer.from('pong'));
  taken.end();
  clock.settle();
  t.equal(core.read(100).toString(), 'pong');
  t.ok(core.accepted);
  run(clock, 100);
  t.equal(events.at(0), 'accepted');
  t.equal(events.at(-1), 'closed complete');
  t.equal(takenEvents.at(-1), 'closed complete');
  emptyAtEnd(t, opener, acceptor);
});

t.test('a stream that cannot be sent as it is fails by itself, and says so to a user who comes later', async (t) => {
  const { clock, opener, acceptor } = joined();
  const cases = [
    opener.open({ ...target, service: 's'.repeat(100) }),
    opener.open(target, { head: Buffer.alloc(100_000) }),
  ];
  clock.settle();
  for (const core of cases) t.strictSame(watch(core), ['closed head-too-long']);
  emptyAtEnd(t, opener, acceptor);
});

t.test('an opener that gives up while it waits for its port comes to say so', async (t) => {
  const { clock, opener, acceptor, cores, port } = joined();
  const core = opener.open(target);
  watch(core);
  clock.settle();
  cores[0]?.accept();
  clock.settle();
  // The path goes, and a new one is there that has not asked for the RESUME yet.
  port.close(tunnelError('link-closed'));
  clock.settle();
  t.equal(opener.detachedStreams, 1);
  const [one, other] = LoopPort.pair('again', clock);
  other.user = acceptor.attach(other);
  one.user = opener.attach(one);
  core.abort(tunnelError('canceled'));
  run(clock, 1000);
  t.ok(cores[0]?.closed);
  emptyAtEnd(t, opener, acceptor);
});

t.test('a stream without a path gives back what its windows grew by', async (t) => {
  const { clock, opener, acceptor, cores, port } = joined();
  const core = opener.open(target);
  watch(core);
  clock.settle();
  const [reader] = cores;
  if (reader === undefined) return;
  reader.user = { onAccepted() {}, onReadable: () => reader.read(1_000_000), onWritable() {}, onClosed() {} };
  reader.accept();
  clock.settle();
  for (let round = 0; round < 100; round++) {
    for (let chunk = 0; chunk < 40; chunk++) core.write(Buffer.alloc(16_256));
    run(clock, 5);
  }
  for (const { pool } of [opener, acceptor]) t.ok(pool.freeBytes < defaultLimits.windowGrowthBytes, 'they have grown');
  port.close(tunnelError('link-closed'));
  clock.settle();
  t.equal(opener.detachedStreams + acceptor.detachedStreams, 2);
  for (const { pool } of [opener, acceptor]) t.equal(pool.freeBytes, defaultLimits.windowGrowthBytes);
});

t.test('without a path a stream is not opened, in its time, and nothing is left', async (t) => {
  const clock = new VirtualClock();
  const endpoint = new Endpoint({ clock });
  const events = watch(endpoint.open(target));
  run(clock, defaultLimits.openWithinMs + 200);
  t.strictSame(events, ['closed not-opened']);
  t.equal(clock.pending, 0);
});

t.test('an opener learns the instance from the first refusal, and names it from then on', async (t) => {
  const { clock, opener, acceptor, cores } = joined();
  opener.open(target);
  opener.open(target);
  clock.settle();
  run(clock, 1);
  t.equal(cores.length, 2);
  t.equal(opener.instanceOf('edge-1'), acceptor.instance);
});

t.test('closing an endpoint ends its streams at both ends, and leaves no timer', async (t) => {
  const { clock, opener, acceptor, cores, port } = joined();
  const events = [watch(opener.open(target)), watch(opener.open(target))];
  clock.settle();
  cores[0]?.accept();
  clock.settle();
  opener.close(tunnelError('endpoint-closed'));
  clock.settle();
  t.strictSame(
    events.map((list) => list.at(-1)),
    ['closed endpoint-closed', 'closed endpoint-closed'],
  );
  t.ok(cores.every((core) => core.closed));
  t.strictSame(watch(opener.open(target)), ['closed endpoint-closed'], 'nothing is opened any more');
  acceptor.close(tunnelError('endpoint-closed'));
  port.close(tunnelError('link-closed'));
  run(clock, 1);
  emptyAtEnd(t, opener, acceptor);
  t.equal(clock.pending, 0);
});

t.test('an endpoint that closes without a port forgets at once', async (t) => {
  const { clock, opener, cores, acceptor, port } = joined();
  opener.open(target);
  clock.settle();
  const taken = cores.map(watch);
  port.close(tunnelError('link-closed'));
  clock.settle();
  acceptor.close(tunnelError('endpoint-closed'));
  opener.close(tunnelError('endpoint-closed'));
  t.strictSame(taken, [['closed endpoint-closed']]);
  emptyAtEnd(t, opener, acceptor);
  t.equal(clock.pending, 0);
});

t.test('the port that is preferred carries what is opened, another one when it is gone', async (t) => {
  const clock = new VirtualClock();
  const opener = new Endpoint({ clock });
  const used: string[] = [];
  const ports = ['a', 'b'].map((id) => {
    const [one, other] = LoopPort.pair(id, clock);
    one.user = opener.attach(one, false);
    other.user = { onFrame: (frame) => used.push(`${id} ${frame.type}`), onClose() {} };
    return one;
  });
  const [a, b] = ports;
  if (a === undefined || b === undefined) return;
  opener.open(target);
  clock.settle();
  opener.prefer(b);
  opener.open(target);
  clock.settle();
  b.close(tunnelError('link-closed'));
  run(clock, 200);
  t.strictSame(used, [`a ${FrameType.OPEN}`, `b ${FrameType.OPEN}`, `a ${FrameType.OPEN}`]);
});

t.test('of cleanly finished streams the oldest are forgotten first, of others none before its time', async (t) => {
  const tombstones = new Tombstones({ ...defaultLimits, maxTombstones: 2 });
  for (const key of ['a', 'b', 'c']) tombstones.remember(key, { kind: 'finished', received: 1 }, 0);
  tombstones.remember('d', { kind: 'gone' }, 0);
  tombstones.remember('e', { kind: 'gone' }, 1);
  t.strictSame(
    ['a', 'b', 'c', 'd', 'e'].map((key) => tombstones.find(key)?.kind),
    [undefined, 'finished', 'finished', 'gone', 'gone'],
  );
  t.ok(tombstones.full);
  tombstones.sweep(defaultLimits.tombstoneMs);
  t.equal(tombstones.size, 1);
});
