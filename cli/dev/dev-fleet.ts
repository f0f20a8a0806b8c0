import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, validate, z } from '../../base/index.ts';
import { loadKeyStore } from '../../certs/index.ts';
import { Api } from '../../sdk/index.ts';
import { cliError } from '../cli-error.ts';
import { admitNode, listNodes } from '../edge-nodes.ts';
import { Child, type ChildOptions } from './child-process.ts';
import { etcdCommand, untilListening, type EtcdPlan } from './dev-etcd.ts';
import { agentFile, gatewayFile, writeAgentFile, writeDevFiles } from './dev-files.ts';
import { apiUrl, type DevPlan, type EdgePlan } from './dev-plan.ts';
import { requireFreePorts } from './local-ports.ts';
import { writeState } from './state-file.ts';

const READY_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

const demoPorts = z.object({ ports: z.object({ hello: z.int(), echo: z.int() }) });

/** The processes of a fleet on this machine: replicas, and for each edge its demo services and its agent. */
export class DevFleet {
  readonly #plan: DevPlan;
  readonly #onNote: (text: string) => void;
  readonly #replicas = new Map<string, Child>();
  readonly #edges = new Map<string, Child>();
  readonly #demos = new Map<string, Child>();
  readonly #etcd = new Map<string, Child>();
  #stopping = false;

  constructor(plan: DevPlan, onNote: (text: string) => void) {
    this.#plan = plan;
    this.#onNote = onNote;
  }

  /**
   * Starts everything and resolves when all edges are registered. Errors: `address-in-use` before anything is started,
   * `process-failed`, `start-timeout`.
   */
  async start(): Promise<void> {
    const plan = this.#plan;
    await requireFreePorts([
      ...plan.replicas.flatMap(({ ports }) => [ports.api, ports.link, ports.public]),
      ...(plan.etcd?.members ?? []).flatMap(({ ports }) => [ports.client, ports.peer]),
    ]);
    await writeDevFiles(plan);
    this.#writeState();
    if (plan.etcd !== undefined) await this.#startEtcd(plan.etcd);
    await Promise.all(
      plan.replicas.map((replica) =>
        this.#child(this.#replicas, replica.name, () => ['gateway', 'run', '--config', gatewayFile(replica)]).start(),
      ),
    );

    const api = new Api(plan.replicas.map(apiUrl), await loadKeyStore(plan.files.operator));
    try {
      const allowed = await decided(() => this.#admit(api));
      await Promise.all(plan.edges.map((edge) => this.#startEdge(edge)));
      await this.#untilOnline(api, allowed);
    } finally {
      await api.close();
    }
  }

  /** Ends everything: first who uses, then what is used. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await stopAll(this.#edges);
    await Promise.all([stopAll(this.#demos), stopAll(this.#replicas)]);
    await stopAll(this.#etcd);
  }

  /** Edges that are new come onto the whitelist; one that was denied stays denied. Returns those that may register. */
  async #admit(api: Api): Promise<readonly string[]> {
    const known = new Map((await listNodes(api)).map((node) => [node.metadata.name, node.spec.admission]));
    const allowed: string[] = [];
    for (const { name } of this.#plan.edges) {
      if (!known.has(name)) await admitNode(api, name, 'Allowed');
      if ((known.get(name) ?? 'Allowed') === 'Allowed') allowed.push(name);
      else this.#onNote(`${name} is denied since an earlier run: \`causeway node allow ${name}\` lets it register`);
    }
    return allowed;
  }

  /** All at once: a member listens when it has found a majority. */
  async #startEtcd(etcd: EtcdPlan): Promise<void> {
    await Promise.all(
      etcd.members.map((member) => {
        const { file, args } = etcdCommand(etcd, member);
        const untilStarted = (isAlive: () => boolean) => untilListening(member, isAlive);
        return this.#child(this.#etcd, member.name, () => args, { file, untilStarted }).start();
      }),
    );
  }

  async #startEdge(edge: EdgePlan): Promise<void> {
    // Started again, the demo services listen where the agent's configuration says.
    let ports = { hello: 0, echo: 0 };
    const args = (): string[] => [
      'demo-services',
      '--edge',
      edge.name,
      '--hello',
      String(ports.hello),
      '--echo',
      String(ports.echo),
    ];
    const started = validate(demoPorts, await this.#child(this.#demos, `${edge.name}-services`, args).start());
    if (!('value' in started)) throw cliError('process-failed', `${edge.name}-services`);
    ports = started.value.ports;
    await writeAgentFile(this.#plan, edge, ports);
    await this.#child(this.#edges, edge.name, () => ['agent', 'run', '--config', agentFile(edge)]).start();
  }

  async #untilOnline(api: Api, wanted: readonly string[]): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!this.#stopping) {
      const online = new Set(
        (await listNodes(api)).filter(({ status }) => status.online).map(({ metadata }) => metadata.name),
      );
      const missing = wanted.filter((edge) => !online.has(edge));
      if (missing.length === 0) return;
      if (performance.now() > deadline)
        throw cliError('start-timeout', `${missing.join(', ')} did not register; see ${this.#plan.files.logs}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  #child(
    among: Map<string, Child>,
    name: string,
    args: () => readonly string[],
    program?: ChildOptions['program'],
  ): Child {
    const child = new Child({
      name,
      args,
      ...(program === undefined ? {} : { program }),
      log: join(this.#plan.files.logs, `${name}.log`),
      restart: this.#plan.restart,
      onChange: () => this.#writeState(),
      onNote: this.#onNote,
    });
    if (this.#stopping) throw cliError('process-failed', `${name}: the fleet is being stopped`);
    among.set(name, child);
    return child;
  }

  #writeState(): void {
    writeState(this.#plan, { replicas: this.#replicas, edges: this.#edges, etcd: this.#etcd });
  }
}

/** Members of etcd that have just found each other may still change their leader. */
async function decided<T>(decide: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + READY_WITHIN_MS; ;) {
    try {
      return await decide();
    } catch (error) {
      if (!codeOf(error).startsWith('store-') || performance.now() > deadline) throw error;
      await delay(LOOK_EVERY_MS * 10);
    }
  }
}

async function stopAll(children: ReadonlyMap<string, Child>): Promise<void> {
  await Promise.all([...children.values()].map((child) => child.stop()));
}
