import { join } from 'node:path';
import { authorityFiles, writeAuthority } from '../../cli/fleet-files.ts';
import { createFleetFiles, edgeNames, FleetAccess, type FleetFiles, type Ports } from '../support/fleet-access.ts';
import type { WeakLinkOptions } from '../support/weak-link.ts';
import { waitFor } from '../support/wait-for.ts';
import { Child } from './child.ts';
import type { Commands } from './role.ts';
import type { AgentRole } from './roles/agent.ts';
import type { ClientRole } from './roles/client.ts';
import type { HolderRole } from './roles/holder.ts';
import type { InformersOptions, InformersRole } from './roles/informers.ts';
import type { KubeAgentRole } from './roles/kube-agent.ts';
import type { OriginPorts, OriginRole } from './roles/origin.ts';
import type { ReplicaRole } from './roles/replica.ts';
import { WeakLinkChild } from './weak-link-child.ts';

export interface EnduranceOptions {
  /** Default 1. */
  readonly edges?: number;
  /** How the network of each of an agent's links behaves; without it there is none between. */
  readonly weak?: Omit<WeakLinkOptions, 'target' | 'port'>;
  /** Edges with the embedded Kubernetes API, that a program at the edge can write to. Default false. */
  readonly kube?: boolean;
  /** Edges with the embedded Kubernetes API beside their origins, that nobody at the edge writes to. Default false. */
  readonly embedded?: boolean;
  /** How long the certificates of edges are good. Default a day. */
  readonly certificateMs?: number;
  /** Origins of each edge, by their names; each serves all of `roles/origin.ts`, a service `NAME-KIND` each. Default `main`. */
  readonly origins?: readonly string[];
}

export interface EdgeParts {
  readonly agent: Child<AgentRole>;
  /** The same process, where the edge has a Kubernetes API. */
  readonly kube: Child<KubeAgentRole> | undefined;
  readonly origins: Readonly<Record<string, Child<OriginRole>>>;
  /** One for each link of the agent. */
  readonly weak: readonly WeakLinkChild[];
}

/** A fleet in which everything is a process of its own, with an agent's links over bad networks where that is asked for. */
export class EnduranceFleet extends FleetAccess {
  readonly edges = new Map<string, EdgeParts>();
  readonly #children: Child[] = [];
  readonly #agentOptions = new Map<string, object>();
  readonly #weakLinks: WeakLinkChild[] = [];
  #replica: Child<ReplicaRole> | undefined;
  #ports: Ports = { link: 0, api: 0, public: 0 };
  #certificateMs: number | undefined;

  static async start(options: EnduranceOptions = {}): Promise<EnduranceFleet> {
    const edges = edgeNames(options.edges ?? 1);
    const fleet = new EnduranceFleet(await createFleetFiles(edges));
    try {
      fleet.#certificateMs = options.certificateMs;
      await writeAuthority(fleet.issuerFolder, 'edge', fleet.certificates.authority.issuers.edge);
      await fleet.#startReplica();
      for (const edge of edges) await fleet.#startEdge(edge, options);
      for (const edge of edges) await fleet.online(edge);
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  private constructor(files: FleetFiles) {
    super(files.certificates, files.folder, files.operator);
  }

  get ports(): Ports {
    return this.#ports;
  }

  get replica(): Child<ReplicaRole> {
    return found(this.#replica);
  }

  edge(name = 'edge-1'): EdgeParts {
    return found(this.edges.get(name));
  }

  origin(name = 'main'): Child<OriginRole> {
    return found(this.edge().origins[name]);
  }

  /** What ended though nobody asked it to. */
  get crashes(): readonly string[] {
    return this.#children.flatMap(({ crash }) => crash ?? []);
  }

  /** A process that calls edges: SDK and plain HTTPS. */
  async startClient(name: string): Promise<Child<ClientRole>> {
    return (await this.#start<ClientRole, object>(name, 'client', { config: this.clientConfig }))[0];
  }

  /** A process that holds open whatever a caller can hold. */
  async startHolder(name: string): Promise<Child<HolderRole>> {
    return (await this.#start<HolderRole, object>(name, 'holder', { config: this.clientConfig }))[0];
  }

  /** The agent of an edge dies and comes again. */
  async restartAgent(edge: string): Promise<void> {
    const parts = this.edge(edge);
    await parts.agent.stop();
    const [agent] = await this.#start<AgentRole, object>(`${edge} agent`, 'agent', found(this.#agentOptions.get(edge)));
    this.edges.set(edge, { ...parts, agent, kube: undefined });
  }

  /** A process with informers of `@kubernetes/client-node`. */
  async startInformers(name: string, options: InformersOptions): Promise<Child<InformersRole>> {
    return (await this.#start<InformersRole, object>(name, 'informers', options))[0];
  }

  /** The replica dies and comes again, with its store and on its ports, and nothing else that it had. */
  async restartReplica(): Promise<void> {
    await this.replica.stop();
    await this.#startReplica();
  }

  /** The network that the active link of an edge's agent goes over, and the others. */
  async weakLinks(
    edge = 'edge-1',
  ): Promise<{ readonly active: WeakLinkChild; readonly standby: readonly WeakLinkChild[] }> {
    const { agent, weak } = this.edge(edge);
    return await waitFor('all links of the agent', async () => {
      const links = await agent.ask('links');
      const activeTarget = links.find(({ active }) => active)?.target;
      const active = weak.find(({ target }) => target === activeTarget);
      const isWhole = links.length === weak.length && active !== undefined;
      return isWhole ? { active, standby: weak.filter((each) => each !== active) } : undefined;
    });
  }

  /** The folder of an identity's key store. */
  keysOf(name: string): string {
    return this.keyFolder(name);
  }

  /** The folder with the edges' issuing key, as the replica reads it. */
  get issuerFolder(): string {
    return join(this.folder, 'issuer');
  }

  /** Puts a key store in place of the one that is in use; whoever uses it takes it by itself. */
  async giveKeys(name: string, validMs: number): Promise<void> {
    await this.certificates.keyStore(join(this.folder, 'keys'), name, { validMs });
  }

  async stop(): Promise<void> {
    await this.closeClients();
    await Promise.all(this.#children.map((child) => child.stop()));
    await Promise.all(this.#weakLinks.map((weak) => weak.stop()));
    this.removeFolder();
  }

  protected get clientLinkPort(): number {
    return this.#ports.link;
  }

  async #startReplica(): Promise<void> {
    const at = (port: number) => ({ host: '127.0.0.1', port });
    const { link, api, public: open } = this.#ports;
    const options = {
      site: 'site-a',
      name: 'r0',
      keys: this.keyFolder('replica/site-a/r0'),
      link: at(link),
      api: at(api),
      public: at(open),
      store: { path: `${this.folder}/store.db` },
      issuer: {
        ...authorityFiles(this.issuerFolder, 'edge'),
        ...(this.#certificateMs === undefined ? {} : { validMs: this.#certificateMs }),
      },
      admins: ['operator/tester'],
      log: 'warn',
    };
    [this.#replica, this.#ports] = await this.#start<ReplicaRole, Ports>('replica', 'replica', options);
  }

  async #startEdge(
    edge: string,
    { weak, kube = false, embedded = false, origins = kube ? [] : ['main'] }: EnduranceOptions,
  ): Promise<void> {
    const started: Record<string, Child<OriginRole>> = {};
    const services: object[] = [];
    for (const name of origins) {
      const [origin, ports] = await this.#start<OriginRole, OriginPorts>(`${edge} ${name}`, 'origin', {});
      started[name] = origin;
      services.push({ name: `${name}-web`, kind: 'http', url: `http://127.0.0.1:${ports.web}` });
      for (const [kind, port] of Object.entries(ports)) {
        if (kind !== 'web') services.push({ name: `${name}-${kind}`, kind: 'tcp', address: `127.0.0.1:${port}` });
      }
    }
    const networks: WeakLinkChild[] = [];
    if (weak !== undefined) {
      const target = { port: this.#ports.link };
      networks.push(await WeakLinkChild.start({ ...weak, target }), await WeakLinkChild.start({ ...weak, target }));
    }
    this.#weakLinks.push(...networks);
    const gateways = weak === undefined ? [`127.0.0.1:${this.#ports.link}`] : networks.map(({ target }) => target);
    if (embedded) services.push({ name: 'kube', kind: 'embedded' });
    const data = `${this.folder}/${edge}`;
    const plain = { gateways, keys: this.keyFolder(`edge/${edge}`), services, log: 'error' };
    const options = embedded ? { ...plain, data } : plain;
    this.#agentOptions.set(edge, options);
    await this.allow(edge);
    if (kube) {
      const [agent] = await this.#start<KubeAgentRole, object>(`${edge} agent`, 'kube-agent', { ...options, data });
      this.edges.set(edge, { agent, kube: agent, origins: started, weak: networks });
    } else {
      const [agent] = await this.#start<AgentRole, object>(`${edge} agent`, 'agent', options);
      this.edges.set(edge, { agent, kube: undefined, origins: started, weak: networks });
    }
  }

  async #start<C extends Commands, S>(name: string, role: string, options: object): Promise<[Child<C>, S]> {
    const [child, started] = await Child.start<C, S>(name, new URL(`roles/${role}.ts`, import.meta.url), options);
    this.#children.push(child);
    return [child, started];
  }
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it does not run');
  return value;
}
