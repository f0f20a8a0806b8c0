import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientOptions, type PemCredentials } from '../baseline/credentials.ts';

export interface Reply {
  readonly contentType: string;
  readonly body: Buffer;
}

/** Asks a replica what the benchmark itself has to know. */
export class ReplicaClient {
  readonly #options: object;

  constructor(port: number, credentials: PemCredentials) {
    this.#options = { ...clientOptions(credentials), host: '127.0.0.1', port, agent: new Agent({ keepAlive: true }) };
  }

  get(path: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const call = request({ ...this.#options, path }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('error', reject);
        response.once('end', () => {
          const body = Buffer.concat(parts);
          if (response.statusCode === 200) resolve({ contentType: response.headers['content-type'] ?? '', body });
          else reject(new Error(`${path}: HTTP ${response.statusCode ?? 0} ${body.toString('utf8', 0, 300)}`));
        });
      });
      call.once('error', reject);
      call.end();
    });
  }

  /** Of the newest state of a kind in the cache. */
  async version(edge: string, resource: string): Promise<number> {
    const { body } = await this.get(`/edges/${edge}/kube/api/v1/${resource}?resourceVersion=0`);
    return Number(/"resourceVersion":"(\d+)"/u.exec(body.toString('utf8', 0, 300))?.[1]);
  }

  /** By name; a gauge with labels is not among them. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const { body } = await this.get('/metrics');
    const lines = body.toString().matchAll(/^(\w+) (\S+)$/gmu);
    return new Map(Array.from(lines, ([, name = '', value]) => [name, Number(value)]));
  }

  async metric(name: string): Promise<number> {
    return (await this.metrics()).get(name) ?? Number.NaN;
  }

  /** Resolves when a metric is at least so much; throws after `withinMs`. */
  async until(name: string, least: number, withinMs = 120_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    for (let value = await this.metric(name); !(value >= least); value = await this.metric(name)) {
      if (performance.now() > deadline) throw new Error(`${name} is ${value} and not ${least} after ${withinMs} ms`);
      await sleep(100);
    }
  }
}
