import { join } from 'node:path';
import type { Test } from 'tap';
import { createLog, silentLog, type Log } from '../../base/index.ts';
import {
  agentConfigSchema,
  startAgent,
  type Agent,
  type AgentConfig,
  type AgentOptions,
} from '../../edge-agent/index.ts';
import { gatewayConfigSchema, startReplica, type Replica } from '../../gateway/index.ts';
import type { ConnectOptions, Fleet } from '../../sdk/index.ts';
import type { Store } from '../../store/index.ts';
import { defaultLimits, type TunnelLimits } from '../../tunnel/index.ts';
import { createFleetFiles, edgeNames, FleetAccess, type FleetFiles, type Ports } from './fleet-access.ts';
import { WeakLink, type WeakLinkOptions } from './weak-link.ts';

export type ServiceConfig = AgentConfig['services'][number];

/** How the bad network behaves; true for one that is only there to be cut. */
export type Weakness = true | Omit<WeakLinkOptions, 'target' | 'port'>;

export interface ClusterOptions {
  /** How many: `edge-1`, `edge-2` ... Default 1. */
  readonly edges?: number;
  readonly services?: (edge: string) => readonly ServiceConfig[];
  /** What may be dialed at every edge without being a service. */
  readonly addresses?: readonly string[];
  /** Agents reach the replica over bad networks, each over its own. */
  readonly weak?: Weakness;
  /** So do the links of clients, all over one. */
  readonly clientWeak?: Weakness;
  /** For replica, agents and clients. */
  readonly limits?: Partial<TunnelLimits>;
  /** Keys of the replica's configuration beside those that a test needs. */
  readonly gateway?: Readonly<Record<string, unknown>>;
  /** Of an agent's graceful end. Default 0: its streams end at once. */
  readonly drainMs?: number;
  /** How long the certificates are good that the replica issues to edges, and how long after that they can be renewed. */
  readonly issuer?: { readonly validMs?: number; readonly graceMs?: number };
  /** The replica's. Default silent. */
  readonly log?: Log;
  /** The replica's, where another one is to have the same. */
  readonly store?: Store;
}

/** One event of an agent's log. */
export interface AgentEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

interface EdgeParts {
  readonly weak: WeakLink | undefined;
  /** Of all its agents, one after the other. */
  readonly events: AgentEvent[];
  agent: Agent | undefined;
}

/**
 * A fleet in this process: one replica, agents, and real connections with mTLS between them on loopback. It is ready when all
 * edges are online, and ends with the test.
 */
export class Cluster extends FleetAccess {
  readonly #options: ClusterOptions;
  readonly #limits: TunnelLimits;
  #replica: Replica;
  readonly #edges = new Map<string, EdgeParts>();
  #clientWeak: WeakLink | undefined;

  static async start(t: Pick<Test, 'teardown'>, options: ClusterOptions = {}): Promise<Cluster> {
    const edges = edgeNames(options.edges ?? 1);
    const files = await createFleetFiles(edges);
    const limits = { ...defaultLimits, ...options.limits };
    const replica = await startReplica({
      config: replicaConfig(files.folder, options),
      log: options.log ?? silentLog,
      version: 'test',
      limits,
      ...(options.store === undefined ? {} : { store: options.store }),
    });
    const cluster = new Cluster(files, replica, options, limits);
    t.teardown(() => cluster.close());
    if (options.clientWeak !== undefined) cluster.#clientWeak = await cluster.#weakLink(options.clientWeak);
    for (const edge of edges) {
      await cluster.allow(edge);
      await cluster.startAgent(edge);
    }
    for (const edge of edges) await cluster.online(edge);
    return cluster;
  }

  private constructor(files: FleetFiles, replica: Replica, options: ClusterOptions, limits: TunnelLimits) {
    super(files.certificates, files.folder, files.operator);
    this.#replica = replica;
    this.#options = options;
    this.#limits = limits;
  }

  get ports(): Ports {
    return this.#replica.ports;
  }

  protected get clientLinkPort(): number {
    return this.#clientWeak?.port ?? this.ports.link;
  }

  get clientWeak(): WeakLink {
    return present(this.#clientWeak, 'clientWeak was not asked for');
  }

  /** The bad network between an edge and the replica. */
  weak(edge: string): WeakLink {
    return present(this.#edges.get(edge)?.weak, `${edge} has no bad network`);
  }

  agent(edge: string): Agent {
    return present(this.#edges.get(edge)?.agent, `${edge} has no agent`);
  }

  /** What the agents of an edge have logged. */
  events(edge: string): readonly AgentEvent[] {
    return this.#edges.get(edge)?.events ?? [];
  }

  override client(options: Omit<ConnectOptions, 'config'> = {}): Promise<Fleet> {
    return super.client({ limits: this.#limits, ...options });
  }

  /** Starts the agent of an edge, whether it is on the whitelist or not; does not wait for its links. */
  async startAgent(edge: string, options: Pick<AgentOptions, 'wallClock'> = {}): Promise<Agent> {
    const parts = this.#edges.get(edge) ?? (await this.#newEdge(edge));
    this.#edges.set(edge, parts);
    parts.agent = await startAgent({
      config: this.#agentConfig(edge, parts),
      log: logInto(parts.events),
      version: 'test',
      limits: this.#limits,
      env: {},
      ...options,
    });
    return parts.agent;
  }

  async stopAgent(edge: string): Promise<void> {
    const parts = this.#edges.get(edge);
    const agent = parts?.agent;
    if (parts !== undefined) parts.agent = undefined;
    await agent?.close('the test stops it');
  }

  /** The replica reads its keys, its trust and its issuer again. */
  async reloadReplica(): Promise<void> {
    await this.#replica.reload();
  }

  /** Ends the replica and starts it anew with what it keeps, on the same ports; `between` runs while there is none. */
  async restartReplica(between: () => Promise<void> | void = () => undefined): Promise<void> {
    const { ports } = this;
    await this.#replica.close('the test restarts it');
    await between();
    const at = (port: number): object => ({ host: '127.0.0.1', port });
    const listeners = { link: at(ports.link), api: at(ports.api), public: at(ports.public) };
    this.#replica = await startReplica({
      config: replicaConfig(this.folder, { ...this.#options, gateway: { ...this.#options.gateway, ...listeners } }),
      log: this.#options.log ?? silentLog,
      version: 'test',
      limits: this.#limits,
    });
  }

  async close(): Promise<void> {
    await this.closeClients();
    for (const edge of this.#edges.keys()) await this.stopAgent(edge);
    for (const { weak } of this.#edges.values()) await weak?.close();
    await this.#clientWeak?.close();
    await this.#replica.close('the test is over');
    this.removeFolder();
  }

  async #newEdge(edge: string): Promise<EdgeParts> {
    await this.ensureKeys(`edge/${edge}`);
    const { weak } = this.#options;
    return { weak: weak === undefined ? undefined : await this.#weakLink(weak), events: [], agent: undefined };
  }

  async #weakLink(weakness: Weakness): Promise<WeakLink> {
    return await WeakLink.start({ ...(weakness === true ? {} : weakness), target: { port: this.ports.link } });
  }

  #agentConfig(edge: string, { weak }: EdgeParts): AgentConfig {
    return agentConfigSchema.parse({
      gateways: [`127.0.0.1:${weak?.port ?? this.ports.link}`],
      public: [`127.0.0.1:${this.ports.public}`],
      keys: this.keyFolder(`edge/${edge}`),
      services: this.#options.services?.(edge) ?? [],
      addresses: this.#options.addresses ?? [],
      drainMs: this.#options.drainMs ?? 0,
    });
  }
}

function replicaConfig(folder: string, { gateway, issuer }: ClusterOptions) {
  const anywhere = { host: '127.0.0.1', port: 0 };
  return gatewayConfigSchema.parse({
    site: 'site-a',
    name: 'r0',
    keys: join(folder, 'keys', 'replica-site-a-r0'),
    link: anywhere,
    api: anywhere,
    public: anywhere,
    store: { path: join(folder, 'store.db') },
    admins: ['operator/tester'],
    drainMs: 200,
    log: 'silent',
    issuer: { cert: join(folder, 'issuer.cert.pem'), key: join(folder, 'issuer.key.pem'), ...issuer },
    ...gateway,
  });
}

function logInto(events: AgentEvent[]): Log {
  const write = (line: string): void => void events.push(JSON.parse(line) as AgentEvent);
  return createLog({ name: 'agent', level: 'info', destination: { write } });
}

function present<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Error(otherwise);
  return value;
}
