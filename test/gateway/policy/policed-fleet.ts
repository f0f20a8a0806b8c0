import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import type { Test } from 'tap';
import { apiVersion, edgeNodePath } from '../../../api/index.ts';
import { Agent } from 'node:https';
import type { TlsCredentials } from '../../../certs/index.ts';
import type { Answer } from '../../support/edge-path.ts';
import { Cluster, type ClusterOptions } from '../../support/cluster.ts';
import type { AskOptions } from '../../support/fleet-access.ts';
import { waitFor } from '../../support/wait-for.ts';

const POLICIES = '/apis/causeway.io/v1/accesspolicies';

/** What the origin behind every HTTP service answers: nobody else does. */
export const REACHED = 418;

export interface Following {
  readonly status: number;
  /** What has come so far. */
  readonly text: string;
  readonly ended: Promise<'whole' | 'cut'>;
}

/**
 * A fleet with real listeners, where `operator/tester` is admin and everybody else may do what policies say. Its services `hello`,
 * `hello2` and `metrics` are one origin that answers `REACHED` and never ends `/endless`; `echo` is TCP.
 */
export class PolicedFleet {
  readonly cluster: Cluster;
  /** Paths that came to the origin, as they came. */
  readonly reached: readonly string[];
  readonly #credentials = new Map<string, { readonly tls: TlsCredentials; readonly agent: Agent }>();

  static async start(t: Pick<Test, 'teardown'>, options: ClusterOptions = {}): Promise<PolicedFleet> {
    const reached: string[] = [];
    const origin = createServer((request, response) => {
      reached.push(request.url ?? '');
      response.writeHead(REACHED);
      if (request.url === '/endless') response.write('first');
      else response.end();
    });
    const echo = createTcpServer((socket) => socket.on('error', () => {}).pipe(socket));
    for (const server of [origin, echo]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    t.teardown(() => {
      origin.close();
      origin.closeAllConnections();
      echo.close();
    });
    const url = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
    const address = `127.0.0.1:${(echo.address() as AddressInfo).port}`;
    const http = ['hello', 'hello2', 'metrics'].map((name) => ({ name, kind: 'http' as const, url }));
    const cluster = await Cluster.start(t, {
      services: () => [...http, { name: 'echo', kind: 'tcp', address }],
      addresses: [address],
      ...options,
    });
    const fleet = new PolicedFleet(cluster, reached);
    t.teardown(() => fleet.#close());
    return fleet;
  }

  private constructor(cluster: Cluster, reached: readonly string[]) {
    this.cluster = cluster;
    this.reached = reached;
  }

  /** Makes a policy, or replaces it, and returns when it counts. */
  async setPolicy(name: string, spec: object): Promise<void> {
    const api = await this.cluster.api();
    const path = `${POLICIES}/${name}`;
    // A policy of its own that says the same of somebody nobody is: when it counts, so does what came before.
    const probe = {
      principals: [`component/probe-${name}`],
      rules: [{ fleet: [`/probe-${Date.now()}`], verbs: ['get'] }],
    };
    for (const [at, next] of [
      [name, spec],
      [`zz-probe`, probe],
    ] as const) {
      const object = { apiVersion, kind: 'AccessPolicy', metadata: { name: at }, spec: next };
      await api.json('DELETE', `${POLICIES}/${at}`).catch(() => undefined);
      await api.json('POST', POLICIES, object);
    }
    await waitFor(path, async () => {
      const asked = { nonResourceAttributes: { path: probe.rules[0]?.fleet[0], verb: 'get' } };
      return (await this.review({ ...asked, user: probe.principals[0] })).allowed ? true : undefined;
    });
  }

  async deletePolicy(name: string): Promise<void> {
    await (await this.cluster.api()).json('DELETE', `${POLICIES}/${name}`);
  }

  async setLabels(edge: string, labels: Readonly<Record<string, string>>): Promise<void> {
    await (await this.cluster.api()).json('PATCH', edgeNodePath(edge), { spec: { labels } });
  }

  /** A `SubjectAccessReview` at the fleet, or, with `prefix`, elsewhere. */
  async review(spec: object, prefix = ''): Promise<{ readonly allowed: boolean; readonly reason?: string }> {
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec };
    const api = await this.cluster.api();
    const answer = await api.json('POST', `${prefix}/apis/authorization.k8s.io/v1/subjectaccessreviews`, body);
    return (answer as { status: { allowed: boolean; reason?: string } }).status;
  }

  async credentials(principal: string): Promise<TlsCredentials> {
    return (await this.#known(principal)).tls;
  }

  /** One request of a principal, on a connection that is kept. */
  async ask(principal: string, path: string, options: AskOptions = {}): Promise<Answer> {
    const { tls, agent } = await this.#known(principal);
    // In the options, since a URL would be written anew.
    return await this.cluster.ask('/', { credentials: tls, agent, path, ...options });
  }

  /** Begins a request of a principal whose answer goes on; `ended` resolves with how it ended: whole, or cut. */
  async follow(principal: string, path: string): Promise<Following> {
    const credentials = await this.credentials(principal);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = this.cluster.open('/', { credentials, path }, resolve);
    request.on('error', reject);
    request.end();
    const response = await promise;
    const following = { status: response.statusCode ?? 0, text: '', ended: Promise.resolve<'whole' | 'cut'>('whole') };
    response.setEncoding('utf8').on('data', (chunk: string) => {
      following.text += chunk;
    });
    following.ended = new Promise((resolveEnd) => {
      response.on('end', () => resolveEnd('whole')).on('error', () => resolveEnd('cut'));
    });
    return following;
  }

  async #known(principal: string) {
    let known = this.#credentials.get(principal);
    if (known === undefined) {
      known = { tls: await this.cluster.certificates.credentials(principal), agent: new Agent({ keepAlive: true }) };
      this.#credentials.set(principal, known);
    }
    return known;
  }

  #close(): void {
    for (const { agent } of this.#credentials.values()) agent.destroy();
  }
}
