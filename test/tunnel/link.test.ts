import t from 'tap';
import { FrameType, type Frame } from '../../tunnel/frame.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import { MemoryWire } from '../../tunnel/memory-wire.ts';
import type { Source } from '../../tunnel/port.ts';
import { tunnelError } from '../../tunnel/tunnel-error.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { HostilePeer, linkEnd, openFrame, run, type LinkEnd } from './hostile-peer.ts';

function pair(
  clock: VirtualClock,
  limits: TunnelLimits = defaultLimits,
): { dialer: LinkEnd; acceptor: LinkEnd; wires: readonly MemoryWire[] } {
  const wires = MemoryWire.pair(clock, () => 5);
  const dialer = linkEnd({ clock, wire: wires[0], role: 'dialer', limits, hello: { name: 'd' } });
  const acceptor = linkEnd({ clock, wire: wires[1], role: 'acceptor', limits });
  return { dialer, acceptor, wires };
}

/** An acceptor whose dialer the test plays, after the handshake. */
function acceptorOf(
  clock: VirtualClock,
  limits: TunnelLimits = defaultLimits,
): { end: LinkEnd; peer: HostilePeer; got: Frame[] } {
  const [mine, wire] = MemoryWire.pair(clock);
  const got: Frame[] = [];
  const end = linkEnd({
    clock,
    wire,
    role: 'acceptor',
    limits,
    streams: () => ({ onFrame: (frame) => got.push(frame), onClose() {} }),
  });
  const peer = new HostilePeer(mine);
  peer.send({ type: FrameType.HELLO, channel: 0, body: {} });
  run(clock, 1);
  return { end, peer, got };
}

/** Sends these frames in turn. */
function source(...frames: (ReturnType<Source['next']> & {})[]): Source {
  return { class: 1, next: () => frames.shift(), takeCredit: () => undefined };
}

t.test('HELLO and WELCOME open a link, each end with what the other said', async (t) => {
  const clock = new VirtualClock();
  const { dialer, acceptor } = pair(clock);
  run(clock, 50);
  t.strictSame(acceptor.events, ['hello {"name":"d"}', 'open {"name":"d"}']);
  t.strictSame(dialer.events, ['open {"from":"acceptor"}']);
  t.ok(dialer.link.open && acceptor.link.open);
  t.equal(dialer.link.remote, 'memory');
});

t.test('UPDATE and GOAWAY pass, and a link goes on after both', async (t) => {
  const clock = new VirtualClock();
  const { dialer, acceptor } = pair(clock);
  run(clock, 50);
  dialer.link.update({ active: true });
  acceptor.link.goaway({ windowMs: 10 });
  run(clock, 50);
  t.match(acceptor.events.at(-1), 'update {"active":true}');
  t.match(dialer.events.at(-1), 'goaway {"windowMs":10}');
  t.ok(dialer.link.open && acceptor.link.open);
});

t.test('who closes a link tells the other end why, and each owner hears of it once', async (t) => {
  const clock = new VirtualClock();
  const { dialer, acceptor } = pair(clock);
  run(clock, 50);
  dialer.link.close(tunnelError('draining', { detail: 'bye', retryAfterMs: 70 }));
  dialer.link.close(tunnelError('link-closed'));
  run(clock, 50);
  t.equal(dialer.closed?.code, 'draining');
  t.match(acceptor.closed, { code: 'draining', message: /bye/, retryAfterMs: 70 });
  t.equal(dialer.events.filter((event) => event.startsWith('close')).length, 1);
  t.equal(acceptor.events.filter((event) => event.startsWith('close')).length, 1);
  run(clock, 5000);
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('a cut wire closes both ends', async (t) => {
  const clock = new VirtualClock();
  const { dialer, acceptor, wires } = pair(clock);
  run(clock, 50);
  wires[0]?.cut();
  run(clock, 1);
  t.equal(dialer.closed?.code, 'link-closed');
  t.equal(acceptor.closed?.code, 'link-closed');
});

t.test('a handshake that does not come ends after its time', async (t) => {
  const clock = new VirtualClock();
  const [, wire] = MemoryWire.pair(clock);
  const { closed, events } = linkEnd({ clock, wire, role: 'acceptor' });
  t.equal(closed, undefined);
  run(clock, defaultLimits.handshakeMs + 500);
  t.strictSame(events, ['close handshake-timeout']);
});

t.test('a silent peer is given up after its probes, idle within 15 s', async (t) => {
  const clock = new VirtualClock();
  const { dialer, acceptor, wires } = pair(clock);
  run(clock, 1000);
  for (const wire of wires) wire.silent = true;
  run(clock, 8500);
  t.equal(dialer.closed?.code, 'link-silent');
  t.equal(acceptor.closed?.code, 'link-silent');
});

t.test('a link that is silent in one direction is found out from both ends', async (t) => {
  const clock = new VirtualClock();
  const { dialer, acceptor, wires } = pair(clock);
  run(clock, 1000);
  const [first] = wires;
  if (first !== undefined) first.silent = true;
  run(clock, 15_000);
  t.equal(dialer.closed?.code, 'link-silent');
  t.equal(acceptor.closed?.code, 'link-silent');
});

t.test('while someone waits, a silent peer is given up within 5 s', async (t) => {
  const clock = new VirtualClock();
  const { dialer, wires } = pair(clock);
  run(clock, 1000);
  for (const wire of wires) wire.silent = true;
  dialer.link.probe();
  run(clock, 3000);
  t.equal(dialer.closed?.code, 'link-silent');
});

t.test('an idle link stays open, and costs a probe now and then', async (t) => {
  const clock = new VirtualClock();
  const { dialer, acceptor } = pair(clock);
  run(clock, 60_000);
  t.ok(dialer.link.open && acceptor.link.open);
  t.match(dialer.link.stats, { rttMs: Number, silentMs: Number });
  t.ok(dialer.link.stats.receivedBytes < 1000);
});

const violations: readonly (readonly [name: string, frames: readonly Frame[], code: string])[] = [
  ['a second HELLO', [{ type: FrameType.HELLO, channel: 0, body: {} }], 'frame-unexpected'],
  ['a WELCOME from the dialer', [{ type: FrameType.WELCOME, channel: 0, body: {} }], 'frame-unexpected'],
  ["an OPEN of the other end's parity", [openFrame({ channel: 2 })], 'frame-unexpected'],
  ['an OPEN of a channel that was used', [openFrame({ channel: 5 }), openFrame({ channel: 5 })], 'frame-unexpected'],
  ['an OPEN of a lower channel', [openFrame({ channel: 5 }), openFrame({ channel: 3 })], 'frame-unexpected'],
  ['a frame on a channel that was never opened', [{ type: FrameType.FIN, channel: 7, offset: 0 }], 'frame-unexpected'],
  [
    'a frame on a channel that this end has not opened',
    [{ type: FrameType.FIN, channel: 4, offset: 0 }],
    'frame-unexpected',
  ],
  [
    'a LINK_ACK of bytes that were not sent',
    [{ type: FrameType.LINK_ACK, channel: 0, bytes: 1_000_000 }],
    'frame-unexpected',
  ],
];

for (const [name, frames, code] of violations) {
  t.test(`${name} closes the link, and says why`, async (t) => {
    const clock = new VirtualClock();
    const { end, peer } = acceptorOf(clock);
    peer.send(...frames);
    run(clock, 10);
    t.equal(end.closed?.code, code);
    t.equal(peer.reason, code);
    t.not(peer.closed, undefined);
  });
}

t.test('bytes that are no frame, and text, close the link', async (t) => {
  const clock = new VirtualClock();
  const broken = acceptorOf(clock);
  broken.peer.raw(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  run(clock, 10);
  t.match(broken.end.closed?.code, /^frame-/);
  const text = acceptorOf(clock);
  const [, wire] = MemoryWire.pair(clock);
  const end = linkEnd({ clock, wire, role: 'acceptor' });
  wire.user.onText();
  run(clock, 10);
  t.equal(end.closed?.code, 'text-message');
  t.ok(text.end.link.open, 'another link does not notice');
});

t.test('a stream frame, or an UPDATE, before the handshake closes the link', async (t) => {
  for (const frame of [openFrame(), { type: FrameType.UPDATE, channel: 0, body: {} }] satisfies Frame[]) {
    const clock = new VirtualClock();
    const [mine, wire] = MemoryWire.pair(clock);
    const end = linkEnd({ clock, wire, role: 'acceptor' });
    new HostilePeer(mine).send(frame);
    run(clock, 10);
    t.equal(end.closed?.code, 'frame-unexpected');
  }
});

t.test('OPENs beyond the rate are refused, and a peer that does not heed it loses the link', async (t) => {
  const clock = new VirtualClock();
  const limits = { ...defaultLimits, opensPerSecond: 10, opensBurst: 3, maxRefusedOpensPerSecond: 4 };
  const { end, peer, got } = acceptorOf(clock, limits);
  for (let index = 0; index < 7; index++) peer.send(openFrame({ channel: 2 * index + 1 }));
  run(clock, 50);
  t.equal(got.length, 3);
  t.equal(peer.of(FrameType.REFUSE).length, 4);
  t.match(peer.of(FrameType.REFUSE)[0], { code: 'overloaded', instance: '', retryAfterMs: 1000 });
  t.ok(end.link.open);
  peer.send(openFrame({ channel: 101 }));
  run(clock, 10);
  t.equal(peer.reason, 'open-flood');
});

t.test('many PINGs get one PONG', async (t) => {
  const clock = new VirtualClock();
  const { peer } = acceptorOf(clock);
  peer.send(...Array.from({ length: 1000 }, (_, nonce): Frame => ({ type: FrameType.PING, channel: 0, nonce })));
  run(clock, 10);
  t.strictSame(peer.of(FrameType.PONG), [{ type: FrameType.PONG, channel: 0, nonce: 999 }]);
});

t.test(
  'a peer that asks for answers and acknowledges none loses the link, and what waits for it is bounded',
  async (t) => {
    const clock = new VirtualClock();
    const limits = { ...defaultLimits, maxControlBytes: 20_000, maxInflightBytes: 10_000 };
    const { end, peer, got } = acceptorOf(clock, limits);
    peer.send(openFrame());
    run(clock, 10);
    for (let round = 0; end.link.open && round < 10_000; round++) {
      end.link.send({ type: FrameType.RESET, channel: 1, ack: true, code: 'canceled', message: 'x'.repeat(100) });
      clock.settle();
    }
    t.equal(end.closed?.code, 'control-flood');
    t.ok(end.link.stats.sentBytes < 60_000);
    t.equal(got.length, 1);
  },
);

t.test('data keeps to the budget in flight, and goes on when the peer acknowledges', async (t) => {
  const clock = new VirtualClock();
  const { end, peer } = acceptorOf(clock);
  const payload = Buffer.alloc(10_000);
  const frames = Array.from({ length: 20 }, (_, index): ReturnType<Source['next']> & {} => {
    return { type: FrameType.DATA, channel: 1, offset: index * 10_000, payload, blocked: false };
  });
  end.link.ready(source(...frames));
  run(clock, 10);
  const before = peer.of(FrameType.DATA).length;
  t.ok(before >= 3 && before < 6, `${before} frames`);
  peer.send({ type: FrameType.LINK_ACK, channel: 0, bytes: end.link.stats.sentBytes });
  run(clock, 10);
  t.ok(peer.of(FrameType.DATA).length > before);
});

t.test('what the peer sent is acknowledged, a little later and together', async (t) => {
  const clock = new VirtualClock();
  const { peer } = acceptorOf(clock);
  peer.send(openFrame());
  run(clock, 5);
  t.equal(peer.of(FrameType.LINK_ACK).length, 1, 'only that of the handshake, with WELCOME');
  run(clock, defaultLimits.ackDelayMs);
  t.equal(peer.of(FrameType.LINK_ACK).length, 2);
});

t.test('a closed link takes nothing any more', async (t) => {
  const clock = new VirtualClock();
  const { end, peer } = acceptorOf(clock);
  end.link.close(tunnelError('draining'));
  run(clock, 10);
  const seen = peer.frames.length;
  const idle = source();
  end.link.send({ type: FrameType.DETACH, channel: 1, code: 'moved' });
  end.link.ready(idle);
  end.link.credit(idle, true);
  end.link.remove(idle);
  end.link.update({});
  peer.send({ type: FrameType.PING, channel: 0, nonce: 1 });
  run(clock, 1000);
  t.equal(peer.frames.length, seen);
});

t.test('a link whose channels are used up closes', async (t) => {
  const clock = new VirtualClock();
  const { end } = acceptorOf(clock);
  t.equal(end.link.nextChannel(), 2);
  t.equal(end.link.nextChannel(), 4);
});
