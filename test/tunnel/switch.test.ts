import t from 'tap';
import { FrameType, StreamClass, type DataFrame, type Frame } from '../../tunnel/frame.ts';
import { Lane, unblocked } from '../../tunnel/lane.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import type { Link } from '../../tunnel/link.ts';
import { MemoryWire } from '../../tunnel/memory-wire.ts';
import { Switch, type Route } from '../../tunnel/switch.ts';
import { tunnelError } from '../../tunnel/tunnel-error.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { HostilePeer, linkEnd, openFrame, run } from './hostile-peer.ts';

interface Setting {
  readonly clock: VirtualClock;
  readonly hub: Switch;
  /** Opens streams. */
  readonly client: HostilePeer;
  /** What the switch routes to. */
  readonly agent: HostilePeer;
  readonly agentLink: Link;
  readonly clientLink: Link;
}

type Decide = (port: Link, open: Frame) => Route | Promise<Route>;

/** A switch between two peers that the test plays. */
function setting(
  limits: Partial<TunnelLimits> = {},
  decide: Decide = (port) => ({ port, principal: 'alice' }),
): Setting {
  const clock = new VirtualClock();
  const all = { ...defaultLimits, ...limits };
  const hub = new Switch({ clock, limits: all, route: (open) => decide(agentLink, open) });
  const join = (): { peer: HostilePeer; link: Link } => {
    const [mine, wire] = MemoryWire.pair(clock);
    const { link } = linkEnd({ clock, wire, role: 'acceptor', limits: all, streams: (each) => hub.attach(each) });
    const peer = new HostilePeer(mine);
    peer.send({ type: FrameType.HELLO, channel: 0, body: {} });
    run(clock, 1);
    return { peer, link };
  };
  const client = join();
  const agent = join();
  const agentLink = agent.link;
  return { clock, hub, client: client.peer, agent: agent.peer, agentLink, clientLink: client.link };
}

const data = (channel: number, offset: number, payload: string | Buffer): DataFrame => ({
  type: FrameType.DATA,
  channel,
  offset,
  payload: Buffer.from(payload),
  blocked: false,
});
const fin = (channel: number, offset: number): Frame => ({ type: FrameType.FIN, channel, offset });
const credit = (channel: number, received: number, limit: number): Frame => ({
  type: FrameType.CREDIT,
  channel,
  received,
  limit,
});
const accept = (channel: number, limit: number, received = 0): Frame => ({
  type: FrameType.ACCEPT,
  channel,
  received,
  limit,
});
const reset = (channel: number, ack: boolean): Frame => ({
  type: FrameType.RESET,
  channel,
  ack,
  code: 'canceled',
  message: '',
});

/** The frames of streams, as text. */
function seen(peer: HostilePeer): string[] {
  return peer.frames.filter(({ channel }) => channel > 0).map(show);
}

function show(frame: Frame): string {
  switch (frame.type) {
    case FrameType.OPEN:
      return `OPEN ${frame.channel} by ${frame.target.principal}`;
    case FrameType.RESUME:
      return `RESUME ${frame.channel} ${frame.received} ${frame.limit}`;
    case FrameType.ACCEPT:
      return `ACCEPT ${frame.channel} ${frame.received} ${frame.limit}`;
    case FrameType.RESUMED:
      return `RESUMED ${frame.channel} ${frame.received} ${frame.limit}`;
    case FrameType.CREDIT:
      return `CREDIT ${frame.channel} ${frame.received} ${frame.limit}`;
    case FrameType.DATA:
      return `DATA ${frame.channel} ${frame.offset} ${frame.payload.toString()}`;
    case FrameType.FIN:
      return `FIN ${frame.channel} ${frame.offset}`;
    case FrameType.RESET:
      return `RESET ${frame.channel} ${frame.code}${frame.ack ? ' ack' : ''}`;
    case FrameType.REFUSE:
      return `REFUSE ${frame.channel} ${frame.code}`;
    case FrameType.DETACH:
      return `DETACH ${frame.channel} ${frame.code}`;
    case FrameType.HELLO:
    case FrameType.WELCOME:
    case FrameType.PING:
    case FrameType.PONG:
    case FrameType.LINK_ACK:
    case FrameType.GOAWAY:
    case FrameType.UPDATE:
      return 'link';
  }
}

t.test(
  "a stream passes both ways under each link's own channel, and is freed when both ends are acknowledged",
  async (t) => {
    const { clock, hub, client, agent } = setting();
    client.send(openFrame(), data(1, 0, 'ping'), fin(1, 4));
    run(clock, 30);
    t.strictSame(seen(agent), ['OPEN 2 by alice', 'DATA 2 0 ping', 'FIN 2 4']);
    agent.send(accept(2, 1000), data(2, 0, 'pong'), fin(2, 4), credit(2, 5, 1000));
    run(clock, 30);
    t.equal(hub.crossings, 1);
    client.send(credit(1, 5, 1000));
    run(clock, 30);
    t.strictSame(
      seen(client).filter((text) => !text.startsWith('CREDIT')),
      ['ACCEPT 1 5 16384', 'DATA 1 0 pong', 'FIN 1 4'],
    );
    t.match(hub, { crossings: 0, queuedBytes: 0, bytesUp: 4, bytesDown: 4 });
  },
);

t.test(
  'the principal is whom the switch knows, whatever the caller says; the class is no better than allowed',
  async (t) => {
    const { clock, client, agent, agentLink } = setting({}, (port) => ({
      port,
      principal: 'alice',
      class: StreamClass.BULK,
    }));
    client.send(openFrame({ target: { ...openFrame().target, principal: 'root' } }));
    run(clock, 30);
    t.match(agent.of(FrameType.OPEN), [{ target: { principal: 'alice' }, class: StreamClass.BULK }]);
    t.ok(agentLink.open);
  },
);

t.test('a limit is passed on as far as the switch can bear it, and no further', async (t) => {
  const { clock, client, agent } = setting({ windowBytes: 1000, openCreditBytes: 1000, maxWindowBytes: 1000 });
  client.send(openFrame({ limit: 1_000_000 }));
  run(clock, 30);
  t.match(agent.of(FrameType.OPEN), [{ limit: 1000 }]);
  agent.send(accept(2, 1_000_000));
  run(clock, 30);
  t.match(client.of(FrameType.ACCEPT), [{ limit: 1000 }]);
  client.send(data(1, 0, Buffer.alloc(1000)));
  run(clock, 30);
  t.match(client.of(FrameType.CREDIT).at(-1), { limit: 2000 }, 'what has gone out makes room');
});

t.test(
  'a sender that does not keep to its limit, or leaves a gap, loses its stream at both ends, and no other',
  async (t) => {
    for (const frame of [data(1, 0, Buffer.alloc(1001)), data(1, 5, 'x'), fin(1, 5)]) {
      const { clock, hub, client, agent } = setting({ windowBytes: 1000, openCreditBytes: 1000 });
      client.send(openFrame(), openFrame({ channel: 3 }));
      run(clock, 30);
      client.send(frame);
      run(clock, 30);
      t.match(seen(client), ['RESET 1 flow-violation']);
      t.match(seen(agent).at(-1), 'RESET 2 flow-violation');
      client.send(data(3, 0, 'on'));
      run(clock, 30);
      t.equal(seen(agent).at(-1), 'DATA 4 0 on');
      t.equal(hub.crossings, 1);
    }
  },
);

t.test('a second FIN, and an answer that was not asked for, are violations', async (t) => {
  for (const frames of [
    [fin(2, 0), fin(2, 0)],
    [accept(2, 100), accept(2, 100)],
    [{ ...accept(2, 100), type: FrameType.RESUMED } as Frame],
  ]) {
    const { clock, hub, client, agent } = setting();
    client.send(openFrame());
    run(clock, 30);
    agent.send(...frames);
    run(clock, 30);
    t.equal(seen(client).at(-1), 'RESET 1 flow-violation');
    t.equal(hub.crossings, 0);
  }
});

t.test('RESUMED sets both sides where the acceptor stands', async (t) => {
  const { clock, client, agent } = setting({ windowBytes: 1000, openCreditBytes: 500 });
  client.send(openFrame({ type: FrameType.RESUME, attempt: 2, received: 70, limit: 5000 }));
  run(clock, 30);
  t.strictSame(seen(agent), ['RESUME 2 70 1070']);
  agent.send({ ...accept(2, 90_000, 400), type: FrameType.RESUMED } as Frame, data(2, 70, 'down'));
  run(clock, 30);
  t.strictSame(seen(client), ['RESUMED 1 400 1400', 'DATA 1 70 down']);
  client.send(data(1, 400, 'up'));
  run(clock, 30);
  t.equal(seen(agent).at(-1), 'DATA 2 400 up');
});

t.test('an opener skips what the acceptor has from an earlier path', async (t) => {
  const { clock, client, agent } = setting();
  client.send(openFrame({ attempt: 2 }), data(1, 0, 'aa'));
  run(clock, 30);
  agent.send(accept(2, 1000, 10));
  run(clock, 30);
  client.send(data(1, 10, 'bb'));
  run(clock, 30);
  t.strictSame(seen(agent), ['OPEN 2 by alice', 'DATA 2 0 aa', 'DATA 2 10 bb']);
  client.send(data(1, 13, 'cc'));
  run(clock, 30);
  t.equal(seen(client).at(-1), 'RESET 1 flow-violation');
});

t.test('when a link goes, the other side is told at once', async (t) => {
  const { clock, hub, client, agentLink } = setting();
  client.send(openFrame());
  run(clock, 30);
  agentLink.close(tunnelError('draining'));
  run(clock, 30);
  t.strictSame(seen(client), ['DETACH 1 link-lost']);
  t.equal(hub.crossings, 0);
});

t.test('when an edge moves, both sides are told', async (t) => {
  const { clock, hub, client, agent, agentLink } = setting();
  client.send(openFrame());
  run(clock, 30);
  t.equal(hub.streamsOn(agentLink), 1);
  hub.clear(agentLink, 'moved');
  run(clock, 30);
  t.equal(seen(client).at(-1), 'DETACH 1 moved');
  t.equal(seen(agent).at(-1), 'DETACH 2 moved');
  t.equal(hub.streamsOn(agentLink), 0);
});

t.test(
  'when a port is cut off, both ends of its streams are told that they are over, before the link goes',
  async (t) => {
    const { clock, hub, client, agent, agentLink } = setting();
    client.send(openFrame());
    run(clock, 30);
    agent.send(accept(2, 1000));
    run(clock, 30);
    hub.cut(agentLink, tunnelError('edge-cut'));
    agentLink.close(tunnelError('edge-denied'));
    run(clock, 30);
    t.equal(seen(client).at(-1), 'RESET 1 edge-cut');
    t.equal(seen(agent).at(-1), 'RESET 2 edge-cut');
    t.match(agent.of(FrameType.GOAWAY), [{ body: { code: 'edge-denied' } }]);
    const last = agent.frames.map(({ type }) => type);
    t.ok(last.indexOf(FrameType.RESET) < last.indexOf(FrameType.GOAWAY), 'in this order');
    t.equal(hub.crossings, 0);
    client.send(reset(1, true));
    run(clock, 30);
    t.equal(seen(client).at(-1), 'RESET 1 edge-cut', 'and nothing more');
  },
);

t.test('a port that is cut off before its stream has gone on costs the other end nothing', async (t) => {
  const { promise } = Promise.withResolvers<Route>();
  const { clock, hub, client, agent, clientLink } = setting({}, () => promise);
  client.send(openFrame());
  run(clock, 30);
  hub.cut(clientLink, tunnelError('revoked'));
  run(clock, 30);
  t.equal(seen(client).at(-1), 'RESET 1 revoked');
  t.strictSame(seen(agent), []);
  t.equal(hub.crossings, 0);
});

t.test('a refusal passes, and ends the channel', async (t) => {
  const { clock, hub, client, agent } = setting();
  client.send(openFrame());
  run(clock, 30);
  agent.send({ type: FrameType.REFUSE, channel: 2, code: 'denied', message: 'no', instance: 'i', retryAfterMs: 3 });
  run(clock, 30);
  t.match(client.of(FrameType.REFUSE), [{ channel: 1, code: 'denied', message: 'no', instance: 'i', retryAfterMs: 3 }]);
  t.equal(hub.crossings, 0);
});

t.test('RESET passes, drops what waits behind it, and ends the channel when it is acknowledged', async (t) => {
  const { clock, hub, client, agent } = setting();
  client.send(openFrame());
  run(clock, 30);
  client.send(reset(1, false));
  run(clock, 30);
  t.equal(seen(agent).at(-1), 'RESET 2 canceled');
  t.equal(hub.crossings, 1);
  agent.send(reset(2, true));
  run(clock, 30);
  t.equal(seen(client).at(-1), 'RESET 1 canceled ack');
  t.equal(hub.crossings, 0);
  agent.send(reset(2, false));
  run(clock, 30);
  t.equal(seen(agent).at(-1), 'RESET 2 canceled ack', 'of a channel that is over there is nothing left to reset');
});

t.test('while the route is looked up, what the opener sends waits, within the credit of an OPEN', async (t) => {
  const routes: ((route: Route) => void)[] = [];
  const { clock, hub, client, agent, agentLink } = setting({}, () => new Promise((resolve) => routes.push(resolve)));
  client.send(openFrame(), ...Array.from('one byte each').map((letter, offset) => data(1, offset, letter)), fin(1, 13));
  run(clock, 30);
  t.equal(hub.queuedBytes, 13);
  routes[0]?.({ port: agentLink, principal: 'p' });
  await Promise.resolve();
  run(clock, 30);
  t.match(seen(agent).at(0), 'OPEN 2 by p');
  t.equal(
    agent
      .of(FrameType.DATA)
      .map(({ payload }) => payload.toString())
      .join(''),
    'one byte each',
  );
  t.equal(seen(agent).at(-1), 'FIN 2 13');
  t.equal(hub.queuedBytes, 0);
});

t.test('who waits for a route and sends too much, or what nobody may, loses the stream', async (t) => {
  for (const frames of [
    [data(1, 0, Buffer.alloc(9000)), data(1, 9000, Buffer.alloc(9000))],
    [fin(1, 0), fin(1, 0)],
    [credit(1, 0, 5)],
  ]) {
    const { clock, hub, client } = setting({}, () => new Promise(() => {}));
    client.send(openFrame());
    for (const frame of frames) client.send(frame);
    run(clock, 30);
    t.strictSame(seen(client), ['RESET 1 flow-violation']);
    t.match(hub, { crossings: 0, queuedBytes: 0 });
  }
});

t.test(
  'who gives up before its OPEN has gone further is acknowledged by the switch; on a later attempt it is to come again',
  async (t) => {
    const { clock, hub, client, agent } = setting({}, () => new Promise(() => {}));
    client.send(openFrame(), openFrame({ channel: 3, attempt: 2 }), openFrame({ channel: 5 }));
    client.send(reset(1, false), reset(3, false), { type: FrameType.DETACH, channel: 5, code: 'canceled' });
    run(clock, 30);
    t.strictSame(seen(client), ['RESET 1 canceled ack', 'DETACH 3 link-lost']);
    t.strictSame(seen(agent), []);
    t.equal(hub.crossings, 0);
  },
);

t.test('a lookup that fails, finds nothing, or finds a link that has gone, refuses', async (t) => {
  const gone = setting();
  const decisions: (() => Route | Promise<Route>)[] = [
    () => Promise.reject(new Error('no store')),
    () => ({ refuse: tunnelError('edge-unknown') }),
    () => Promise.resolve({ port: gone.agentLink, principal: 'p' }),
  ];
  for (const [index, code] of ['not-here', 'edge-unknown', 'not-here'].entries()) {
    const { clock, client } = setting({}, () => decisions[index]?.() ?? { refuse: tunnelError('denied') });
    client.send(openFrame());
    run(clock, 1);
    await new Promise(setImmediate);
    run(clock, 30);
    t.strictSame(seen(client), [`REFUSE 1 ${code}`]);
  }
});

t.test('more streams, or more held OPENs, than the limit are refused', async (t) => {
  const few = setting({ maxLinkStreams: 1 });
  few.client.send(openFrame(), openFrame({ channel: 3 }));
  run(few.clock, 30);
  t.strictSame(seen(few.client), ['REFUSE 3 overloaded']);
  const held = setting({ maxHeldOpens: 1 }, () => new Promise(() => {}));
  held.client.send(openFrame(), openFrame({ channel: 3 }));
  run(held.clock, 30);
  t.strictSame(seen(held.client), ['REFUSE 3 overloaded']);
});

t.test('a head that would be too long with the principal is refused, and costs the agent nothing', async (t) => {
  const { clock, client, agentLink } = setting({}, (port) => ({ port, principal: 'p'.repeat(500) }));
  client.send(openFrame({ head: Buffer.alloc(defaultLimits.maxHeadBytes - 120) }));
  client.send(openFrame({ channel: 3, target: { ...openFrame().target, path: '\ufffd'.repeat(21_700) } }));
  run(clock, 30);
  t.strictSame(seen(client), ['REFUSE 1 head-too-long', 'REFUSE 3 head-too-long']);
  t.ok(agentLink.open);
});

t.test('short of memory the switch grants little, then detaches the fattest streams and nothing else', async (t) => {
  const { clock, hub, client, agent } = setting({
    switchQueueBytes: 100_000,
    minInflightBytes: 1000,
    maxInflightBytes: 1000,
  });
  const count = 12;
  for (let index = 0; index < count; index++) client.send(openFrame({ channel: 2 * index + 1 }));
  run(clock, 30);
  for (const { channel } of agent.of(FrameType.OPEN)) agent.send(accept(channel, 1_000_000));
  run(clock, 30);
  // The agent acknowledges nothing, so that nothing goes out to it.
  for (let index = 0; index < count; index++) {
    const frames = [0, 1, 2].map((part) =>
      data(2 * index + 1, part * 5000, Buffer.alloc(index === 0 ? 5000 : 4000 + part)),
    );
    if (index === 0) client.send(...frames);
    else client.send(data(2 * index + 1, 0, Buffer.alloc(10_000)));
    run(clock, 5);
  }
  t.ok(hub.shed > 0);
  t.ok(hub.queuedBytes <= 100_000);
  t.equal(hub.crossings, count - hub.shed);
  t.match(client.of(FrameType.DETACH)[0], { channel: 1, code: 'over-budget' });
});

t.test('a lane passes a frame as it came, and joins small ones that wait', async (t) => {
  const lane = new Lane(16_352);
  const frame = { ...data(1, 0, ''), payload: Buffer.from(new Uint8Array(100).buffer, 0, 5).fill('first') };
  lane.push(frame);
  for (const [at, letter] of Array.from('abc').entries()) lane.push(data(1, 5 + at, letter));
  t.equal(lane.bytes, 8);
  t.equal(lane.shift(9)?.payload, frame.payload);
  t.match(lane.shift(9), { channel: 9, offset: 5, payload: Buffer.from('abc') });
  t.equal(lane.shift(9), undefined);
  lane.push(data(1, 8, 'x'));
  lane.push(data(1, 9, 'y'));
  lane.push(data(1, 20, 'z'));
  t.strictSame(
    [lane.shift(1), lane.shift(1)].map((each) => [each?.offset, each?.payload.toString()]),
    [
      [8, 'xy'],
      [20, 'z'],
    ],
    'over a gap nothing is joined',
  );
});

t.test('a small frame of a huge message does not hold the message', async (t) => {
  const lane = new Lane(16_352);
  lane.push({ ...data(1, 0, ''), payload: Buffer.alloc(80_000).subarray(0, 1) });
  t.ok((lane.shift(1)?.payload.buffer.byteLength ?? 0) <= 16_352);
});

t.test('the BLOCKED flag goes where it is not the receiver that holds the sender up', async (t) => {
  const raw = Buffer.from('130200090000000500000000000000000a', 'hex');
  t.match(unblocked({ ...data(5, 0, 'x'), blocked: true, raw }), { blocked: false });
  t.equal(raw.readUInt8(1), 0);
});

t.test('streams that may not go on are ended at both ends, by what was authenticated', async (t) => {
  const { clock, hub, client, agent } = setting();
  for (const [channel, path] of [[1, '/a'] as const, [3, '/b'] as const]) {
    const target = { ...openFrame().target, path, principal: 'root' };
    client.send(openFrame({ channel, id: `${channel}`.repeat(32), target }));
  }
  run(clock, 10);
  const before = [client.frames.length, agent.frames.length];
  const asked: string[] = [];
  hub.revoke(({ path, principal }) => {
    asked.push(`${principal} ${path}`);
    return path === '/a' ? tunnelError('denied') : undefined;
  });
  run(clock, 10);
  t.strictSame(asked.toSorted(), ['alice /a', 'alice /b']);
  t.match(client.frames.slice(before[0]), [{ type: FrameType.RESET, channel: 1, code: 'denied', ack: false }]);
  t.match(agent.frames.slice(before[1]), [{ type: FrameType.RESET, code: 'denied', ack: false }]);
  t.equal(hub.crossings, 1);
});

t.test('a stream whose route is looked up still is not asked about when policy changes', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Route>();
  const { clock, hub, client, agent } = setting({}, () => promise);
  client.send(openFrame({ channel: 1 }));
  run(clock, 10);
  hub.revoke(() => tunnelError('canceled'));
  run(clock, 10);
  t.strictSame(client.of(FrameType.RESET), [], 'it has no principal yet');
  resolve({ refuse: tunnelError('denied') });
  await promise;
  await Promise.resolve();
  run(clock, 10);
  t.match(client.of(FrameType.REFUSE), [{ channel: 1, code: 'denied' }]);
  t.strictSame(agent.of(FrameType.OPEN), []);
});
