import t, { type Test } from 'tap';
import { defaultLimits } from '../../tunnel/limits.ts';
import type { Link } from '../../tunnel/link.ts';
import { MemoryWire } from '../../tunnel/memory-wire.ts';
import { Ticker } from '../../tunnel/ticker.ts';
import { tunnelError } from '../../tunnel/tunnel-error.ts';
import { Uplink, type LinkTarget } from '../../tunnel/uplink.ts';
import { VirtualClock } from '../simulation/virtual-clock.ts';
import { linkEnd, run } from './hostile-peer.ts';

/** An uplink with two links, and the replicas that it dials. Chance always says a half. */
class World {
  readonly clock = new VirtualClock();
  targets: readonly LinkTarget[];
  /** What was dialed. */
  readonly dialed: string[] = [];
  readonly uplink: Uplink;
  readonly #accepted = new Map<string, Link[]>();

  constructor(t: Test, targets: readonly LinkTarget[]) {
    this.targets = targets;
    this.uplink = new Uplink({
      clock: this.clock,
      ticker: new Ticker(this.clock),
      endpoint: { attach: () => ({ onFrame() {}, onClose() {} }), prefer() {}, detachedStreams: 0 },
      targets: () => this.targets,
      dial: async (target) => this.#accept(target),
      hello: () => ({}),
      random: () => 0.5,
    });
    this.uplink.start();
    t.teardown(() => this.uplink.close(tunnelError('canceled')));
  }

  /** The targets of the links that are open, the active one first. */
  get open(): readonly string[] {
    return this.uplink.links.toSorted((a, b) => Number(b.active) - Number(a.active)).map(({ target }) => target);
  }

  /** Time passes, and so do promises. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      run(this.clock, 10);
      await Promise.resolve().then(() => undefined);
    }
  }

  /** A replica dies. */
  lose(target: string): void {
    for (const link of this.#accepted.get(target) ?? []) link.close(tunnelError('link-closed'));
  }

  #accept(target: string): MemoryWire {
    this.dialed.push(target);
    const [mine, other] = MemoryWire.pair(this.clock);
    const { link } = linkEnd({ clock: this.clock, wire: other, role: 'acceptor', limits: defaultLimits });
    this.#accepted.set(target, [...(this.#accepted.get(target) ?? []), link]);
    return mine;
  }
}

const [a, b, c] = [
  { address: 'a:1', site: 'site-a' },
  { address: 'b:1', site: 'site-b' },
  { address: 'c:1', site: 'site-a' },
];

t.test(
  'the other link carries at once, and has the processor for itself before the lost one is dialed again',
  async (t) => {
    const world = new World(t, [a, b]);
    await world.pass(100);
    const [first = '', second = ''] = world.open;
    t.strictSame([first, second].toSorted(), ['a:1', 'b:1']);
    world.lose(first);
    await world.pass(20);
    t.strictSame(world.open, [second]);
    await world.pass(900);
    t.equal(world.dialed.length, 2, 'nobody waits for it');
    await world.pass(200);
    t.equal(world.dialed.length, 3);
    t.equal(world.open[0], second, 'what carries stays where it is');
  },
);

t.test('who has lost all links dials at once', async (t) => {
  const world = new World(t, [a, b]);
  await world.pass(100);
  for (const target of world.open) world.lose(target);
  await world.pass(200);
  t.ok(world.uplink.activeLink?.open);
});

t.test('a link that stands by moves to another site when there is one', async (t) => {
  const world = new World(t, [a, c]);
  await world.pass(100);
  const [active = ''] = world.open;
  world.targets = [a, b, c];
  world.uplink.spread();
  await world.pass(2000);
  t.strictSame(world.open, [active, 'b:1']);
  world.uplink.spread();
  await world.pass(2000);
  t.equal(world.dialed.length, 3, 'and stays there');
});
