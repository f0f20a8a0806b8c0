import { repeat, type Clock, type Log, type Timer } from '../../base/index.ts';
import { fullAccess, type KubeObject, type ResourceApi } from '../../resources/index.ts';
import type { NodeFacts } from './node-facts.ts';
import { nodeReport } from './node-object.ts';

export interface NodeKeeperOptions {
  readonly nodes: ResourceApi;
  readonly facts: () => Promise<NodeFacts>;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly wallClock: () => number;
  readonly log: Log;
}

/** As kubelets report when nothing has changed. */
const REPORT_MS = 5 * 60_000;
const AGENT = fullAccess('agent');

/** Keeps the Node that stands for this machine true: made when it is missing, its status written now and then. */
export class NodeKeeper {
  readonly #options: NodeKeeperOptions;
  readonly #readySince: string;
  #timer: Timer | undefined;

  constructor(options: NodeKeeperOptions) {
    this.#options = options;
    this.#readySince = timeOf(options.wallClock());
  }

  /** Resolves when the Node has been written once. */
  async start(): Promise<void> {
    await this.report();
    const { clock, log } = this.#options;
    this.#timer = repeat(
      clock,
      REPORT_MS,
      () => this.report(),
      (error) => log.warn('node-report-failed', { error }),
    );
  }

  /** Reads the machine's facts and writes them. */
  async report(): Promise<void> {
    const { nodes, facts, agentVersion, wallClock } = this.#options;
    const read = await facts();
    const { labels, status } = nodeReport(read, agentVersion, this.#readySince, timeOf(wallClock()));
    const name = read.hostname;
    const found = await this.#find(name);
    if (found === undefined) {
      await nodes.create(AGENT, '', { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: {} });
    } else if (Object.entries(labels).some(([key, value]) => found.metadata.labels?.[key] !== value)) {
      await nodes.patch(AGENT, '', name, { type: 'merge', value: { metadata: { labels } } });
    }
    await nodes.patch(AGENT, '', name, { type: 'merge', value: { status } }, { subresource: 'status' });
  }

  close(): void {
    this.#timer?.cancel();
  }

  async #find(name: string): Promise<KubeObject | undefined> {
    const held = await this.#options.nodes.collection.get('', name);
    return held === undefined ? undefined : (JSON.parse(held.json.toString('utf8')) as KubeObject);
  }
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
