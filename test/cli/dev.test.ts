import { type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { get } from 'node:http';
import { request } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type Test } from 'tap';
import { waitFor, within } from '../support/wait-for.ts';
import { causeway, startCauseway, type Outcome } from './causeway.ts';

interface State {
  readonly api: readonly string[];
  readonly kubeconfig: string;
  readonly client: string;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly edges: readonly string[];
  readonly pids: Readonly<Record<'replicas' | 'edges' | 'etcd', Readonly<Record<string, number>>>>;
  readonly replicas: Readonly<
    Record<string, { readonly site: string; readonly api: string; readonly link: string; readonly public: string }>
  >;
}

/** A running `causeway dev` of a test. */
class Dev {
  readonly folder: string;
  readonly process: ChildProcess;
  output = '';

  constructor(folder: string, args: readonly string[] = []) {
    this.folder = folder;
    this.process = startCauseway(['dev', '--dir', folder, '--api-port', '0', ...args], {}, ['ignore', 'pipe', 'pipe']);
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk;
      });
    }
  }

  get state(): State {
    return JSON.parse(readFileSync(join(this.folder, 'state.json'), 'utf8')) as State;
  }

  async ready(): Promise<void> {
    await waitFor('the line `ready`', () => this.output.split('\n').includes('ready'), {
      deadlineMs: 60_000,
      everyMs: 20,
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.output}`);
    });
  }

  cli(args: readonly string[], input?: string | Uint8Array): Promise<Outcome> {
    return causeway(args, { env: { CAUSEWAY_CONFIG: this.state.client }, ...(input === undefined ? {} : { input }) });
  }

  /** Every process that it has started, and itself. */
  get processes(): readonly number[] {
    const { pid = 0 } = this.process;
    return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)];
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill(signal);
    await within('dev to end', exited, 20_000);
  }
}

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-dev-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

test('dev runs a whole fleet', async (t) => {
  const dev = new Dev(temporaryFolder(t), ['--edges', '2']);
  t.teardown(() => dev.end('SIGTERM'));
  await dev.ready();

  await t.test('state.json and the files that it names are there', async (t) => {
    const { state } = dev;
    t.strictSame(state.edges, ['edge-1', 'edge-2']);
    t.strictSame(Object.keys(state.replicas), ['r0']);
    t.equal(state.api[0], state.replicas['r0']?.api);
    t.strictSame(Object.keys(state.pids.edges).toSorted(), ['edge-1', 'edge-2']);
    t.strictSame(state.pids.etcd, {});
    for (const pid of [...Object.values(state.pids.edges), ...Object.values(state.pids.replicas)]) t.ok(isAlive(pid));
    for (const file of [state.client, ...Object.values(state.tls)]) t.ok(existsSync(file), file);
    const kubeconfig = await readFile(state.kubeconfig, 'utf8');
    for (const part of [
      'current-context: fleet',
      `server: ${state.api[0]}/fleet/kube`,
      `server: ${state.api[0]}/edges/edge-2/kube`,
    ])
      t.ok(kubeconfig.includes(part), part);
    t.equal((await stat(state.kubeconfig)).mode & 0o777, 0o600);
    t.equal((await stat(state.tls.key)).mode & 0o777, 0o600);
  });

  await t.test('node ls shows the edges, in every format', async (t) => {
    t.match(
      String((await dev.cli(['node', 'ls'])).stdout),
      /^NAME +ADMISSION +ONLINE +LINKS[\s\S]*edge-1 +Allowed +yes +\d[\s\S]*edge-2 /u,
    );
    t.equal(String((await dev.cli(['node', 'ls', '--output', 'name'])).stdout), 'edge-1\nedge-2\n');
    const list = JSON.parse(String((await dev.cli(['node', 'ls', '-o', 'json'])).stdout));
    t.match(list, { kind: 'EdgeNodeList', items: [{ status: { online: true } }, { status: { online: true } }] });
    t.match(String((await dev.cli(['node', 'ls', '-o', 'yaml'])).stdout), /kind: EdgeNodeList/u);
    t.match(String((await dev.cli(['node', 'show', 'edge-1'])).stdout), /Online: +yes[\s\S]*active[\s\S]*hello +http/u);
    t.match(String((await dev.cli(['status'])).stdout), /site-a\/r0 .*ready[\s\S]*Edges: 2 of 2/u);
  });

  await t.test('node allow, deny and rm change the whitelist', async (t) => {
    t.equal(String((await dev.cli(['node', 'allow', 'shop-1', 'shop-2'])).stdout), 'shop-1 allowed\nshop-2 allowed\n');
    t.equal(String((await dev.cli(['node', 'deny', 'shop-1'])).stdout), 'shop-1 denied\n');
    t.match(JSON.parse(String((await dev.cli(['node', 'show', 'shop-1', '-o', 'json'])).stdout)), {
      spec: { admission: 'Denied' },
    });
    t.equal((await dev.cli(['node', 'rm', 'shop-1', 'shop-2'])).exitCode, 0);
    t.equal((await dev.cli(['node', 'show', 'shop-1'])).exitCode, 3);
    t.equal((await dev.cli(['node', 'deny', 'shop-1'])).exitCode, 3);
  });

  await t.test('curl calls the demo service', async (t) => {
    t.equal(String((await dev.cli(['curl', 'edge-1/hello/'])).stdout), 'Hello from edge-1\n');
    const bytes = (await dev.cli(['curl', 'edge-2/hello/bytes/3000001'])).stdout;
    t.equal(bytes.length, 3_000_001);
    t.ok(bytes.every((byte, index) => byte === index % 256));
    const posted = await dev.cli(
      ['curl', 'edge-1/hello/count', '-d', '@-', '-H', 'Content-Type: text/plain', '-i'],
      'id-1',
    );
    t.match(String(posted.stdout), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n\{"id":"id-1","count":1\}\n$/u);
    t.match(JSON.parse(String((await dev.cli(['curl', 'edge-1/hello/count'])).stdout)), {
      total: 1,
      counts: { 'id-1': 1 },
    });
    t.match(JSON.parse(String((await dev.cli(['curl', 'edge-2/hello/count'])).stdout)), { total: 0 });
    t.equal((await dev.cli(['curl', 'edge-1/hello/nothing'])).exitCode, 0);
    t.equal((await dev.cli(['curl', '-f', 'edge-1/hello/nothing'])).exitCode, 3);
    t.equal((await dev.cli(['curl', 'edge-1/nothing/'])).exitCode, 3);
    t.equal((await dev.cli(['curl', 'edge-9/hello/'])).exitCode, 3);
  });

  await t.test('HTTP clients reach the demo service through the API', async (t) => {
    t.equal(await overHttps(dev.state, '/edges/edge-2/hello/'), 'Hello from edge-2\n');
  });

  await t.test('dial carries bytes exactly, and ends when the far side does', async (t) => {
    const sent = randomBytes(5_000_000);
    const echoed = await dev.cli(['dial', 'edge-1', 'echo'], sent);
    t.equal(echoed.exitCode, 0, echoed.stderr);
    t.ok(echoed.stdout.equals(sent));
    t.equal(echoed.stderr, '');
    const denied = await dev.cli(['dial', 'edge-1', '10.0.0.7:22'], '');
    t.equal(denied.exitCode, 4);
    t.equal(denied.stdout.length, 0);
    t.equal((await dev.cli(['dial', 'edge-1', 'nothing'], '')).exitCode, 3);
  });

  await t.test('port-forward keeps its ports while the agent is gone, and counts outlive it', async (t) => {
    const forward = startCauseway(
      ['port-forward', 'edge-1', '0:hello', ':echo', '--json'],
      { env: { CAUSEWAY_CONFIG: dev.state.client } },
      ['ignore', 'pipe', 'inherit'],
    );
    t.teardown(() => forward.kill('SIGKILL'));
    let output = '';
    forward.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    const events = () =>
      output
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { event: string; to: string; port: number });
    const listening = await waitFor('both ports', () => {
      const found = events().filter(({ event }) => event === 'listening');
      return found.length === 2 ? found : undefined;
    });
    const [hello = 0, echo = 0] = ['hello', 'echo'].map((to) => listening.find((event) => event.to === to)?.port ?? 0);
    t.equal(await overHttp(hello, '/'), 'Hello from edge-1\n');
    const socket = connect({ port: echo, host: '127.0.0.1' });
    socket.end('half-closed');
    t.equal(await text(socket), 'half-closed');

    const before = dev.state.pids.edges['edge-1'] ?? 0;
    process.kill(before, 'SIGKILL');
    await waitFor('state.json to say that the agent is gone', () => dev.state.pids.edges['edge-1'] === undefined);
    t.notOk(isAlive(before));
    // Asked for while the agent is gone: it waits, and is answered when it is back, by services that have lost no count.
    const counts = await within('the count', overHttp(hello, '/count'), 30_000);
    t.match(JSON.parse(counts), { total: 1 });
    const after = await waitFor('state.json to name the new agent', () => dev.state.pids.edges['edge-1']);
    t.not(after, before);
    t.ok(isAlive(after));

    const exited = once(forward, 'exit');
    forward.kill('SIGINT');
    t.strictSame(await within('port-forward to end', exited), [0, null]);
  });

  await t.test('a second dev in the folder is refused, and so is a port that is taken', async (t) => {
    const second = await causeway(['dev', '--dir', dev.folder, '--api-port', '0']);
    t.equal(second.exitCode, 1);
    t.match(second.stderr, /already runs/u);
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const refused = await causeway(['dev', '--dir', temporaryFolder(t), '--api-port', String(Math.min(port, 65_000))]);
    taken.close();
    t.equal(refused.exitCode, port <= 65_000 ? 1 : 0);
    t.match(refused.stderr, new RegExp(`127\\.0\\.0\\.1:${port}\\nfix: `, 'u'));
  });

  await t.test('Ctrl-C ends every process', async (t) => {
    const { processes } = dev;
    t.equal(processes.length, 1 + 1 + 2 + 2, 'itself, a replica, two agents, two demo services');
    await dev.end('SIGINT');
    t.equal(dev.process.exitCode, 0);
    t.strictSame(processes.filter(isAlive), []);
    t.strictSame(dev.state.pids, { replicas: {}, edges: {}, etcd: {} });
  });
});

test('dev starts again in its folder with the keys that it made, also after it was killed', async (t) => {
  const folder = temporaryFolder(t);
  const first = new Dev(folder, ['--edges', '1', '--restart', 'never']);
  t.teardown(() => first.end('SIGKILL'));
  await first.ready();
  const key = await readFile(first.state.tls.key, 'utf8');
  const { processes } = first;
  await first.end('SIGKILL');
  await waitFor('its processes to end by themselves', () => !processes.some(isAlive));

  const second = new Dev(folder, ['--edges', '1', '--restart', 'never']);
  t.teardown(() => second.end('SIGTERM'));
  await second.ready();
  t.equal(await readFile(second.state.tls.key, 'utf8'), key);
  process.kill(second.state.pids.edges['edge-1'] ?? 0, 'SIGKILL');
  await waitFor('the end to be told', () => /edge-1 ended \(SIGKILL\)\n/u.test(second.output));
  t.strictSame(second.state.pids.edges, {});
});

test('dev --store etcd runs three members: one may be lost; without a majority calls go on and decisions fail', async (t) => {
  const dev = new Dev(temporaryFolder(t), ['--edges', '1', '--store', 'etcd']);
  t.teardown(() => dev.end('SIGKILL'));
  await dev.ready();
  const { processes } = dev;
  const [first = 0, second = 0] = Object.values(dev.state.pids.etcd);
  t.strictSame(Object.keys(dev.state.pids.etcd), ['etcd-0', 'etcd-1', 'etcd-2']);
  t.equal((await dev.cli(['node', 'allow', 'shop-1'])).exitCode, 0);

  process.kill(first, 'SIGKILL');
  await waitFor('a decision of the other two', async () => (await dev.cli(['node', 'allow', 'shop-2'])).exitCode === 0);
  process.kill(second, 'SIGSTOP');
  await waitFor('state.json to name the member that was killed', () => dev.state.pids.etcd['etcd-0'], {
    deadlineMs: 20_000,
  });
  await waitFor('a decision of two again', async () => (await dev.cli(['node', 'allow', 'shop-3'])).exitCode === 0);
  process.kill(dev.state.pids.etcd['etcd-2'] ?? 0, 'SIGSTOP');
  const failed = await dev.cli(['node', 'allow', 'shop-4']);
  t.equal(failed.exitCode, 5);
  t.match(failed.stderr, /no etcd member/u);
  t.equal(String((await dev.cli(['curl', 'edge-1/hello/'])).stdout), 'Hello from edge-1\n');
  process.kill(second, 'SIGCONT');
  await waitFor('a decision', async () => (await dev.cli(['node', 'allow', 'shop-4'])).exitCode === 0);

  const started = [...processes, ...Object.values(dev.state.pids.etcd)];
  await dev.end('SIGINT');
  t.equal(dev.process.exitCode, 0);
  t.strictSame(started.filter(isAlive), [], 'also the one that stood still');
});

test('a replica that cannot start fails dev with what it said, and nothing is left', async (t) => {
  const folder = temporaryFolder(t);
  const failing = await causeway(['dev', '--dir', folder, '--api-port', '0', '--edges', '1'], {
    env: { CAUSEWAY_GATEWAY_LOG: 'nonsense' },
  });
  t.equal(failing.exitCode, 1);
  t.match(failing.stderr, /r0 \(code 2\)[\s\S]*CAUSEWAY_GATEWAY_LOG[\s\S]*fix: /u);
  t.notMatch(String(failing.stdout), /ready/u);
  t.notOk(existsSync(join(folder, 'dev.pid')));
});

/** A process that has ended and that nobody has asked for yet (a zombie) is not alive. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/mu.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** On a connection of its own: one that was open before would have ended with the agent. */
async function overHttp(port: number, path: string): Promise<string> {
  const [answer] = await once(get({ host: '127.0.0.1', port, path, agent: false }), 'response');
  return text(answer);
}

async function overHttps({ api, tls }: State, path: string): Promise<string> {
  const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map((file) => readFileSync(file));
  const sent = request(`${api[0]}${path}`, { ca, cert, key, agent: false });
  sent.end();
  const [answer] = await once(sent, 'response');
  return text(answer);
}
