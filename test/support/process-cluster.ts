import { join } from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Test } from 'tap';
import { formatYaml } from '../../base/index.ts';
import type { ServiceConfig } from './cluster.ts';
import { createFleetFiles, edgeNames, FleetAccess, type FleetFiles, type Ports } from './fleet-access.ts';
import { RoleProcess } from './role-process.ts';

export interface ProcessClusterOptions {
  /** Default 1. */
  readonly edges?: number;
  readonly services?: (edge: string) => readonly ServiceConfig[];
  readonly addresses?: readonly string[];
}

/**
 * A fleet of real processes, `bin/causeway gateway run` and `agent run` with their files: for tests that look at a process's
 * memory, or stop or kill it. It is ready when all edges are online, and ends with the test.
 */
export class ProcessCluster extends FleetAccess {
  readonly #agents = new Map<string, RoleProcess>();
  #replica: RoleProcess | undefined;
  #ports: Ports = { link: 0, api: 0, public: 0 };

  static async start(t: Pick<Test, 'teardown'>, options: ProcessClusterOptions = {}): Promise<ProcessCluster> {
    const edges = edgeNames(options.edges ?? 1);
    const cluster = new ProcessCluster(await createFleetFiles(edges));
    t.teardown(() => cluster.close());
    await cluster.#startReplica();
    for (const edge of edges) {
      cluster.#writeAgent(edge, options);
      await cluster.allow(edge);
      await cluster.startAgent(edge);
    }
    for (const edge of edges) await cluster.online(edge);
    return cluster;
  }

  private constructor(files: FleetFiles) {
    super(files.certificates, files.folder, files.operator);
  }

  get ports(): Ports {
    return this.#ports;
  }

  protected get clientLinkPort(): number {
    return this.#ports.link;
  }

  get replica(): RoleProcess {
    if (this.#replica === undefined) throw new Error('the replica does not run');
    return this.#replica;
  }

  agent(edge: string): RoleProcess {
    const agent = this.#agents.get(edge);
    if (agent === undefined) throw new Error(`the agent of ${edge} does not run`);
    return agent;
  }

  /** Starts the agent of an edge, anew when it has ended. */
  async startAgent(edge: string): Promise<RoleProcess> {
    const config = this.#agentFile(edge);
    const agent = await RoleProcess.start(['agent', 'run', '--config', config], join(this.folder, `${edge}.log`));
    this.#agents.set(edge, agent);
    return agent;
  }

  async close(): Promise<void> {
    await this.closeClients();
    for (const agent of this.#agents.values()) await agent.stop();
    await this.#replica?.stop();
    this.removeFolder();
  }

  async #startReplica(): Promise<void> {
    const anywhere = { host: '127.0.0.1', port: 0 };
    const file = join(this.folder, 'gateway.yaml');
    const config = {
      site: 'site-a',
      name: 'r0',
      keys: this.keyFolder('replica/site-a/r0'),
      link: anywhere,
      api: anywhere,
      public: anywhere,
      store: { path: join(this.folder, 'store.db') },
      admins: ['operator/tester'],
      drainMs: 200,
    };
    writeFileSync(file, formatYaml(config));
    this.#replica = await RoleProcess.start(['gateway', 'run', '--config', file], join(this.folder, 'r0.log'));
    const { ports } = this.#replica.started as { readonly ports: Ports };
    this.#ports = ports;
  }

  #writeAgent(edge: string, { services, addresses = [] }: ProcessClusterOptions): void {
    mkdirSync(join(this.folder, edge), { recursive: true });
    const config = {
      gateways: [`127.0.0.1:${this.#ports.link}`],
      keys: this.keyFolder(`edge/${edge}`),
      data: join(this.folder, edge, 'data'),
      services: services?.(edge) ?? [],
      addresses,
      drainMs: 0,
    };
    writeFileSync(this.#agentFile(edge), formatYaml(config));
  }

  #agentFile(edge: string): string {
    return join(this.folder, edge, 'agent.yaml');
  }
}
