import type { CodedError } from '../../base/index.ts';
import type { AcceptorCore } from '../../tunnel/acceptor-core.ts';
import { StreamClass } from '../../tunnel/frame.ts';
import { tunnelError } from '../../tunnel/tunnel-error.ts';
import { Cable, type CableEnd } from './cable.ts';
import { End } from './application.ts';
import { Party } from './party.ts';
import { planLimits, planRequest, type Limits, type RequestPlan } from './plan.ts';
import { Random } from './random.ts';
import { Replica, type Whereabouts } from './replica.ts';
import { Process, VirtualClock } from './virtual-clock.ts';

/** One logical request: perhaps several streams, of which at most one may be executed. */
export interface Exchange {
  readonly number: number;
  readonly plan: RequestPlan;
  readonly client: Party;
  readonly edge: string;
  openedAt: number;
  opener: End | undefined;
  acceptor: End | undefined;
  acceptorParty: Party | undefined;
  executions: number;
  /** The opener was told that nothing was executed. */
  promised: boolean;
  tries: number;
}

/** Refusals: nothing was executed. */
const PROMISES = new Set(['not-opened', 'overloaded', 'denied', 'service-unknown', 'draining']);
/** What a switch may queue once the faults are over. */
const AMPLE = { switchQueueBytes: 1_000_000 };
const LONGEST_SLOWNESS_MS = 1500;
/** What an agent that shuts down says may take this long to arrive. */
const CLOSING_MS = 2000;

/** Everything that one seed simulates: processes, links, faults, applications, and what was promised. */
export class World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly limits: { readonly endpoint: Limits; readonly hop: Limits };
  readonly whereabouts = new Map<string, Whereabouts>();
  readonly exchanges: Exchange[] = [];
  readonly replicas: Replica[] = [];
  readonly parties: Party[] = [];
  readonly calmAt: number;
  calm = false;
  failure: string | undefined;
  steps = 0;
  readonly lines: string[] = [];
  readonly #tracing: boolean;
  #cables: Cable[] = [];
  #cableCount = 0;
  #processCount = 0;
  #order = 0;
  #ids = 0;
  #unopened = 0;
  #open = 0;
  #closing = false;
  /** When an agent of an edge was last seen to end, in order or not. */
  readonly #ended = new Map<string, number>();

  constructor(seed: number, tracing: boolean) {
    this.random = new Random(seed);
    this.#tracing = tracing;
    const { random } = this;
    this.limits = planLimits(random);
    this.calmAt = random.int(200, 3500);
    const replicas = random.int(1, 2);
    const agents = random.int(1, 2);
    const clients = random.int(1, 3);
    for (let index = 0; index < replicas; index++) this.#addReplica(`replica-${index}`);
    for (let index = 0; index < agents; index++) this.#addAgent(`edge-${index}`);
    for (let index = 0; index < clients; index++) this.#addClient(`client-${index}`, index === 0 && random.chance(0.4));
    const requests = random.int(2, 9);
    for (let index = 0; index < requests; index++) this.#addExchange(planRequest(random, this.calmAt));
    const faults = random.int(0, 9);
    for (let index = 0; index < faults; index++) this.clock.after(random.int(0, this.calmAt), () => this.#fault());
    this.clock.after(this.calmAt, () => this.#becalm());
    this.clock.settle();
  }

  fail(message: string): void {
    this.failure ??= `${message} (at ${this.clock.now().toFixed(1)} ms)`;
    this.trace(`FAILED: ${message}`);
  }

  trace(message: string): void {
    if (this.#tracing) this.lines.push(`${this.clock.now().toFixed(1).padStart(8)} ${message}`);
  }

  /** Runs one event, and looks at what must hold at every moment. */
  step(until: number): boolean {
    if (!this.clock.step(until)) return false;
    if (++this.steps % 8 === 0) this.#checkMemory();
    return true;
  }

  /** Every request is over at both ends that live. */
  get over(): boolean {
    return this.#unopened === 0 && this.#open === 0 && this.exchanges.every((exchange) => !this.#lingers(exchange));
  }

  /** Nothing is left of any stream, remembered outcomes aside. */
  get empty(): boolean {
    return (
      this.parties.every(({ endpoint }) => endpoint.streams === 0 && endpoint.retainedBytes === 0) &&
      this.replicas.every((replica) => replica.switch.crossings === 0 && replica.switch.queuedBytes === 0)
    );
  }

  get forgotten(): boolean {
    return this.parties.every(({ endpoint }) => endpoint.tombstones === 0);
  }

  /** What is left, for a failure's text. */
  describe(): string {
    const left: string[] = [];
    for (const exchange of this.exchanges) {
      const { opener, acceptor } = exchange;
      if (opener !== undefined && !opener.closed) left.push(describeEnd(opener));
      if (acceptor !== undefined && !acceptor.closed) left.push(describeEnd(acceptor));
    }
    for (const { name, endpoint } of this.parties) {
      if (endpoint.streams > 0)
        left.push(`${name} holds ${endpoint.streams} streams, ${endpoint.detachedStreams} detached`);
    }
    for (const replica of this.replicas) {
      const { crossings, queuedBytes } = replica.switch;
      if (crossings > 0 || queuedBytes > 0)
        left.push(`${replica.name} holds ${crossings} crossings, ${queuedBytes} bytes`);
    }
    return left.join('; ');
  }

  /** Everyone shuts down in order. */
  close(): void {
    this.#closing = true;
    for (const party of this.parties) {
      party.closing = true;
      party.endpoint.close(tunnelError('endpoint-closed'));
    }
    for (const cable of this.#cables) cable.close(tunnelError('link-closed'), this.random.chance(0.5));
    for (const replica of this.replicas) for (const port of replica.loops) port.close(tunnelError('link-closed'));
  }

  /** What has to be as it was in the beginning. */
  checkNothingLeft(): void {
    for (const { name, pool, limits, endpoint } of this.parties) {
      if (pool.freeBytes !== limits.windowGrowthBytes)
        this.fail(`${name} has lost ${limits.windowGrowthBytes - pool.freeBytes} bytes of its pool`);
      if (endpoint.streams > 0) this.fail(`${name} keeps ${endpoint.streams} streams after its end`);
    }
    for (const { name, pool, limits } of this.replicas) {
      if (pool.freeBytes !== limits.windowGrowthBytes)
        this.fail(`${name} has lost ${limits.windowGrowthBytes - pool.freeBytes} bytes of its pool`);
    }
    if (this.clock.pending > 0) this.fail(`${this.clock.pending} timers are left`);
  }

  // The parts.

  #process(name: string): Process {
    return new Process(`${name}#${++this.#processCount}`, this.clock, this.random.int(0, 100_000));
  }

  #addReplica(name: string): void {
    const replica = new Replica(
      this.#process(name),
      name,
      { ...this.limits.hop, ...(this.calm ? AMPLE : {}) },
      {
        whereabouts: this.whereabouts,
        onActive: (edge, whereabouts) => this.#onActive(edge, whereabouts),
        lookup: () => {
          const { random } = this;
          if (this.calm || random.chance(0.7)) return { kind: 'now' };
          return random.chance(0.3) ? { kind: 'refuse' } : { kind: 'later', afterMs: random.int(1, 300) };
        },
        fail: (message) => this.fail(message),
      },
    );
    this.replicas.push(replica);
    const [first] = this.replicas;
    if (first !== undefined && first !== replica) this.#keepPeer(replica, first);
  }

  #addParty(name: string, onStream?: (party: Party, core: AcceptorCore) => void): Party {
    const party: Party = new Party({
      process: this.#process(name),
      name,
      limits: this.limits.endpoint,
      newId: () => (++this.#ids).toString(16).padStart(32, '0'),
      nextOrder: () => ++this.#order,
      ...(onStream === undefined ? {} : { onStream: (core) => onStream(party, core) }),
    });
    this.parties.push(party);
    return party;
  }

  #addAgent(name: string): void {
    const party = this.#addParty(name, (accepting, core) => this.#onStream(accepting, core));
    for (let index = 0; index < 2; index++) {
      const replica = this.random.int(0, this.replicas.length - 1);
      this.#keepLink(party, () => this.replicas[(replica + index) % this.replicas.length], 'agent');
    }
  }

  #addClient(name: string, inside: boolean): void {
    const party = this.#addParty(name);
    const [first] = this.replicas;
    if (inside && first !== undefined) {
      const port = first.loop(name);
      port.user = party.endpoint.attach(port);
      first.inside.push(party);
      return;
    }
    const links = this.random.int(1, 2);
    for (let index = 0; index < links; index++) {
      this.#keepLink(party, () => this.replicas[index % this.replicas.length], 'client');
    }
  }

  #end(process: Process, ends: Pick<CableEnd, 'onOpen' | 'onUpdate' | 'onClose' | 'ticker' | 'limits'>): CableEnd {
    return { process, ...ends };
  }

  #lay(hello: { kind: string; name: string }, dialer: CableEnd, replica: Replica): Cable {
    const cable = new Cable({
      id: `${hello.name}~${replica.name}~${++this.#cableCount}`,
      clock: this.clock,
      random: this.random,
      hello,
      dialer,
      acceptor: this.#end(replica.process, {
        ticker: replica.ticker,
        limits: replica.limits,
        onOpen: (link, body) => replica.onOpen(link, body),
        onUpdate: (link, body) => replica.onUpdate(link, body),
        onClose: (link) => replica.onClose(link),
      }),
      fail: (message) => this.fail(message),
      trace: (message) => this.trace(message),
      tracing: this.#tracing,
    });
    this.#cables = this.#cables.filter((other) => !other.over);
    this.#cables.push(cable);
    return cable;
  }

  #keepLink(party: Party, to: () => Replica | undefined, kind: 'agent' | 'client'): void {
    const again = (): void => {
      this.#later(this.calm ? 20 : this.random.int(5, 400), () => this.#keepLink(party, to, kind));
    };
    const replica = to();
    if (!party.process.alive || party.closing) return;
    if (replica === undefined || !replica.process.alive) {
      again();
      return;
    }
    this.#lay(
      { kind, name: party.name },
      this.#end(party.process, {
        ticker: party.ticker,
        limits: party.limits,
        onOpen: (link) => {
          party.onOpen(link);
          if (!this.calm && this.random.chance(0.3)) this.#giveUpSoon(party);
        },
        onUpdate() {},
        onClose: (link) => {
          party.onClose(link);
          again();
        },
      }),
      replica,
    );
  }

  #keepPeer(from: Replica, to: Replica): void {
    if (!from.process.alive || !to.process.alive || this.#closing) return;
    this.#lay(
      { kind: 'replica', name: from.name },
      this.#end(from.process, {
        ticker: from.ticker,
        limits: from.limits,
        onOpen: (link) => {
          from.onOpen(link, { kind: 'replica', name: to.name });
        },
        onUpdate() {},
        onClose: (link) => {
          from.onClose(link);
          this.#later(20, () => this.#keepPeer(from, to));
        },
      }),
      to,
    );
  }

  #onActive(edge: string, whereabouts: Whereabouts): void {
    const before = this.whereabouts.get(edge);
    if (before !== undefined && before.order > whereabouts.order) return;
    this.whereabouts.set(edge, whereabouts);
    this.trace(`${edge} is at ${whereabouts.link.id}`);
    if (before === undefined || before.link === whereabouts.link) return;
    // The replica that had it hears of the move a little later.
    this.clock.after(this.random.int(0, 60), () => before.replica.switch.clear(before.link, 'moved'));
  }

  // The applications.

  #addExchange(plan: RequestPlan): void {
    const clients = this.parties.filter(({ name }) => name.startsWith('client'));
    const edges = this.parties.filter(({ name }) => name.startsWith('edge'));
    const client = this.random.anyOf(clients);
    const edge = this.random.anyOf(edges)?.name;
    if (client === undefined || edge === undefined) return;
    const exchange: Exchange = {
      number: this.exchanges.length,
      plan,
      client,
      edge,
      openedAt: 0,
      opener: undefined,
      acceptor: undefined,
      acceptorParty: undefined,
      executions: 0,
      promised: false,
      tries: 0,
    };
    this.exchanges.push(exchange);
    this.#unopened++;
    this.clock.after(plan.openAtMs, () => {
      this.#unopened--;
      if (client.process.alive && !client.closing) this.#openStream(exchange);
    });
  }

  #openStream(exchange: Exchange): void {
    const { plan, client } = exchange;
    exchange.tries++;
    exchange.openedAt = this.clock.now();
    exchange.promised = false;
    const head = Buffer.alloc(plan.headBytes, exchange.number);
    head.writeUInt32BE(exchange.number);
    const service = plan.answer === 'denied' ? 'denied' : 'app';
    const core = client.endpoint.open(
      { edge: exchange.edge, service, kind: 'tcp', verb: 'connect', path: '', principal: '' },
      { head, class: plan.bulk ? StreamClass.BULK : StreamClass.INTERACTIVE },
    );
    this.#open++;
    const name = `request ${exchange.number}.${exchange.tries} at ${client.process.name}`;
    this.trace(`${name} opens to ${exchange.edge}`);
    const end: End = new End({
      name,
      host: this,
      clock: client.process,
      core,
      writes: plan.up,
      reads: plan.down,
      onClosed: (error) => {
        this.#open--;
        this.#onOpenerClosed(exchange, end, error);
      },
    });
    exchange.opener = end;
    this.#watchPath(end);
    end.start();
    const { openerAbortsAfterMs } = plan;
    if (openerAbortsAfterMs !== undefined) client.process.after(openerAbortsAfterMs, () => end.abort('canceled'));
  }

  /** The acceptor follows the opener, so the path that the opener is on is never an old one. */
  #watchPath({ name, core }: End): void {
    const lose = core.onPathLost.bind(core);
    core.onPathLost = (code) => {
      if (code === 'superseded') this.fail(`${name} is superseded on its latest path`);
      lose(code);
    };
  }

  #onOpenerClosed(exchange: Exchange, end: End, error: CodedError | undefined): void {
    if (error === undefined || end.aborted) return;
    if (PROMISES.has(error.code)) {
      this.#onPromise(exchange, error.code);
      return;
    }
    const elapsedMs = this.clock.now() - exchange.openedAt;
    const { resumeWithinMs, keepDetachedMs, detachedBytes } = this.limits.endpoint;
    const last = this.#ended.get(exchange.edge);
    const ended = last !== undefined && last > exchange.openedAt - CLOSING_MS;
    const forgot = ended || elapsedMs >= keepDetachedMs || detachedBytes < 10_000;
    const explained: Readonly<Record<string, boolean>> = {
      // It may have been sent to an instance that had ended long before, over a link that nobody knew to be dead.
      'outcome-unknown':
        forgot || elapsedMs >= resumeWithinMs || exchange.plan.answer === 'denied' || last !== undefined,
      'stream-lost': forgot || elapsedMs >= resumeWithinMs,
      'gone': forgot,
      'upstream-failed': exchange.acceptor?.aborted === true,
      'endpoint-closed': ended || exchange.client.closing,
    };
    if (explained[error.code] !== true) this.fail(`${end.name} ends with ${error.code}: ${error.message}`);
  }

  #onPromise(exchange: Exchange, code: string): void {
    const { plan } = exchange;
    const explained: Readonly<Record<string, boolean>> = {
      'denied': plan.answer === 'denied',
      'service-unknown': plan.answer === 'refuse',
      'overloaded': this.limits.hop.maxHeldOpens < 10,
    };
    if (explained[code] === false) this.fail(`request ${exchange.number} is refused with ${code}`);
    if (exchange.executions > 0) this.fail(`request ${exchange.number} was executed, and its opener was told ${code}`);
    exchange.promised = true;
    // Whoever is told that nothing was executed may try again.
    if (
      exchange.tries < 3 &&
      exchange.client.process.alive &&
      !exchange.client.closing &&
      code !== 'denied' &&
      code !== 'service-unknown'
    ) {
      this.#unopened++;
      this.clock.after(100, () => {
        this.#unopened--;
        if (exchange.client.process.alive && !exchange.client.closing) this.#openStream(exchange);
      });
    }
  }

  #onStream(party: Party, core: AcceptorCore): void {
    const exchange = this.exchanges[core.head.readUInt32BE()];
    if (exchange === undefined || core.head.length !== exchange.plan.headBytes) {
      this.fail(`${party.name} gets a head that nobody sent`);
      return;
    }
    const { plan } = exchange;
    const begin = (): void => {
      if (end.closed) return;
      if (plan.answer === 'refuse') {
        core.refuse(tunnelError('service-unknown'));
        return;
      }
      exchange.executions++;
      this.trace(`${end.name} executes it`);
      if (exchange.executions > 1) this.fail(`request ${exchange.number} is executed ${exchange.executions} times`);
      if (exchange.promised)
        this.fail(`request ${exchange.number} is executed after its opener was told that it is not`);
      if (plan.answer !== 'lazy') core.accept();
      end.start();
      const { acceptorAbortsAfterMs } = plan;
      if (acceptorAbortsAfterMs !== undefined)
        party.process.after(acceptorAbortsAfterMs, () => end.abort('upstream-failed'));
    };
    const end: End = new End({
      name: `request ${exchange.number} at ${party.process.name}`,
      host: this,
      clock: party.process,
      core,
      writes: plan.down,
      reads: plan.up,
      onClosed: (error) => {
        this.#open--;
        if (party.process.alive) this.#onAcceptorClosed(exchange, end, error);
      },
    });
    this.#open++;
    this.trace(`${end.name} arrives`);
    exchange.acceptor = end;
    exchange.acceptorParty = party;
    if (core.target.principal !== exchange.client.name) this.fail(`${end.name} is of ${core.target.principal}`);
    if (plan.answer === 'later' || plan.answer === 'refuse') party.process.after(plan.answerAfterMs, begin);
    else begin();
  }

  #onAcceptorClosed(exchange: Exchange, end: End, error: CodedError | undefined): void {
    if (error === undefined || end.aborted) return;
    const { client, opener, plan } = exchange;
    const clientGone = !client.process.alive || client.closing;
    const explained: Readonly<Record<string, boolean>> = {
      'canceled': opener?.aborted === true,
      'stream-lost':
        this.clock.now() - exchange.openedAt >= this.limits.endpoint.keepDetachedMs ||
        this.limits.endpoint.detachedBytes < 10_000,
      'endpoint-closed': clientGone || exchange.acceptorParty?.closing === true,
      'service-unknown': plan.answer === 'refuse',
    };
    if (explained[error.code] !== true) this.fail(`${end.name} ends with ${error.code}: ${error.message}`);
  }

  /** An end that lives and is not closed, of a process that lives. */
  #lingers({ client, opener, acceptor, acceptorParty }: Exchange): boolean {
    if (
      opener !== undefined &&
      client.process.alive &&
      (!opener.closed || (opener.error === undefined && !opener.atEnd))
    )
      return true;
    return (
      acceptor !== undefined &&
      acceptorParty?.process.alive === true &&
      (!acceptor.closed || (acceptor.error === undefined && !acceptor.atEnd))
    );
  }

  #checkMemory(): void {
    const { maxWindowBytes } = this.limits.endpoint;
    for (const { opener, acceptor, plan } of this.exchanges) {
      // A writer hands over at most one chunk more than there is room for.
      if (opener !== undefined && opener.core.retainedBytes > 2 * maxWindowBytes + plan.up.chunk) {
        this.fail(`${opener.name} keeps ${opener.core.retainedBytes} bytes`);
      }
      if (acceptor !== undefined && acceptor.core.retainedBytes > 2 * maxWindowBytes + plan.down.chunk) {
        this.fail(`${acceptor.name} keeps ${acceptor.core.retainedBytes} bytes`);
      }
    }
  }

  // The faults.

  #fault(): void {
    const { random } = this;
    const cable = random.anyOf(this.#cables.filter((each) => !each.over));
    const dice = random.next();
    if (dice < 0.68) {
      if (cable !== undefined) this.#breakCable(cable);
    } else if (dice < 0.83) {
      const party = random.anyOf(this.parties.filter(({ process, links }) => process.alive && links.length > 1));
      const link = party?.links.find((each) => each !== party.active);
      if (party !== undefined && link !== undefined) {
        this.trace(`${party.name} moves to ${link.id}`);
        party.activate(link);
      }
    } else if (dice < 0.94) {
      this.#endParty('edge', random.chance(0.5));
    } else if (dice < 0.97) {
      this.#endParty('client', random.chance(0.5));
    } else {
      this.#restartReplica();
    }
  }

  #breakCable(cable: Cable): void {
    const { random } = this;
    const how = random.pick('cut', 'cut', 'blackHole', 'oneWay', 'tellOne', 'close', 'slow', 'slow');
    this.trace(`${cable.id}: ${how}`);
    if (random.chance(0.2)) this.#giveUpSoon();
    switch (how) {
      case 'cut':
        cable.cut();
        return;
      case 'blackHole':
        cable.blackHole();
        return;
      case 'oneWay':
        cable.silenceOneWay(random.chance(0.5));
        return;
      case 'tellOne':
        cable.tellOne(random.chance(0.5));
        return;
      case 'close':
        cable.close(tunnelError('draining'), random.chance(0.5));
        return;
      case 'slow':
        cable.slownessMs = random.int(50, LONGEST_SLOWNESS_MS);
        this.clock.after(random.int(50, 1000), () => {
          cable.slownessMs = 0;
        });
        return;
    }
  }

  /** Whoever loses a path may give up while it looks for another one, or as soon as there is one. */
  #giveUpSoon(party?: Party): void {
    const open = this.exchanges.filter(
      ({ opener, client }) => opener?.closed === false && client === (party ?? client),
    );
    const exchange = this.random.anyOf(open);
    const end = this.random.chance(0.7) ? exchange?.opener : exchange?.acceptor;
    const process = end === exchange?.opener ? exchange?.client.process : exchange?.acceptorParty?.process;
    process?.after(this.random.pick(0, 0, 0, 20, 200) + this.random.int(0, 50), () => {
      end?.abort(end === exchange?.opener ? 'canceled' : 'upstream-failed');
    });
  }

  /** An agent or client ends: in order, or killed. An agent comes back as another instance. */
  #endParty(kind: 'edge' | 'client', killed: boolean): void {
    const inside = new Set(this.replicas.flatMap((replica) => replica.inside));
    const party = this.random.anyOf(
      this.parties.filter(
        (each) => each.name.startsWith(kind) && each.process.alive && !each.closing && !inside.has(each),
      ),
    );
    if (party === undefined) return;
    this.trace(`${party.process.name} ${killed ? 'is killed' : 'shuts down'}`);
    party.closing = true;
    this.#ended.set(party.name, this.clock.now());
    if (killed) {
      this.#kill(party.process);
    } else {
      party.endpoint.close(tunnelError('endpoint-closed'));
      this.clock.after(this.random.int(0, 100), () => {
        for (const link of [...party.links]) link.close(tunnelError('link-closed'));
        this.clock.after(50, () => this.#kill(party.process));
      });
    }
    if (kind === 'edge') this.#later(this.random.int(60, 600), () => this.#addAgent(party.name));
  }

  #restartReplica(): void {
    const index = this.random.int(0, this.replicas.length - 1);
    const replica = this.replicas[index];
    if (replica === undefined || replica.inside.length > 0) return;
    this.trace(`${replica.name} is killed`);
    this.#kill(replica.process);
    for (const [edge, { replica: at }] of this.whereabouts) if (at === replica) this.whereabouts.delete(edge);
    this.replicas.splice(index, 1);
    this.#later(this.random.int(10, 300), () => this.#addReplica(replica.name));
  }

  /** Unless everything has ended meanwhile. */
  #later(delayMs: number, run: () => void): void {
    this.clock.after(delayMs, () => {
      if (!this.#closing) run();
    });
  }

  #kill(process: Process): void {
    if (!process.alive) return;
    process.alive = false;
    const told = this.random.chance(0.7);
    for (const cable of this.#cables)
      if (cable.dialer === process || cable.acceptor === process) cable.die(process, told);
    const index = this.parties.findIndex((party) => party.process === process);
    if (index < 0) return;
    const [party] = this.parties.splice(index, 1);
    for (const { opener, acceptor, client, acceptorParty } of this.exchanges) {
      if (client === party && opener !== undefined && !opener.closed) this.#open--;
      if (acceptorParty === party && acceptor !== undefined && !acceptor.closed) this.#open--;
    }
  }

  #becalm(): void {
    this.trace('the faults are over');
    this.calm = true;
    for (const cable of this.#cables) cable.slownessMs = 0;
    for (const replica of this.replicas) Object.assign(replica.limits, AMPLE);
    for (const { opener, acceptor, client, acceptorParty } of this.exchanges) {
      if (client.process.alive) opener?.hurry();
      if (acceptorParty?.process.alive === true) acceptor?.hurry();
    }
  }
}

function describeEnd({ name, written, read, atEnd, core }: End): string {
  return `${name} is open: wrote ${written}, read ${read}${atEnd ? ' to the end' : ''}, ${core.onPath ? 'on a path' : 'detached'}`;
}
