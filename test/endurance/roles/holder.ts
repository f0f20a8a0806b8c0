/** A caller that holds open whatever one can hold at an edge, and notes when each of it ends. */
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { loadKeyStore, clientTls } from '../../../certs/index.ts';
import { connect, type ClientConfig } from '../../../sdk/index.ts';
import { roleOptions, serveRole } from '../role.ts';

export interface HoldInput {
  readonly edge: string;
  /** Of each sort: streams of the SDK, its requests, requests over HTTPS, watches. */
  readonly count: number;
}

/** The end of something that was held. */
export interface End {
  readonly edge: string;
  readonly sort: string;
  /** `Date.now`. */
  readonly at: number;
}

const { config } = roleOptions() as { readonly config: ClientConfig };
const fleet = await connect({ config });
const keys = await loadKeyStore(config.keys);
const agent = new Agent({ ...clientTls(keys), keepAlive: true, maxSockets: 16 });
const api = config.replicas[0]?.api ?? '';
let ends: End[] = [];
let held = 0;
const loads = new Map<string, { calls: number; failures: string[]; isOver: boolean }>();

function holding(edge: string, sort: string, emitter: NodeJS.EventEmitter): void {
  held++;
  emitter.on('error', () => undefined);
  emitter.once('close', () => {
    held--;
    ends.push({ edge, sort, at: Date.now() });
  });
}

/** A request whose answer does not end by itself. */
async function holdRequest(edge: string, sort: string, path: string): Promise<void> {
  const request = httpsRequest(`${api}${path}`, { ...clientTls(keys), agent: false });
  request.on('error', () => undefined).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`${path}: HTTP ${response.statusCode}`);
  holding(edge, sort, response.resume());
}

async function holdStream(edge: string): Promise<void> {
  const stream = fleet.edge(edge).dial('main-dribble');
  holding(edge, 'stream', stream.resume());
  await once(stream, 'open');
}

async function hold({ edge, count }: HoldInput): Promise<void> {
  const kube = `/edges/${edge}/kube/api/v1/namespaces?watch=true`;
  const holds = Array.from({ length: count }, () => [
    holdStream(edge),
    holdRequest(edge, 'request', `/edges/${edge}/main-web/dribble`),
    holdRequest(edge, 'watch of the edge', kube),
    holdRequest(edge, 'watch from memory', `${kube}&resourceVersion=0`),
  ]);
  await Promise.all(holds.flat());
}

async function load(edge: string): Promise<void> {
  const state = { calls: 0, failures: [] as string[], isOver: false };
  loads.set(edge, state);
  while (!state.isOver) {
    try {
      const request = httpsRequest(`${api}/edges/${edge}/main-web/bytes/1000`, { agent }).end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await once(response.resume(), 'end');
      if (response.statusCode === 200) state.calls++;
      else state.failures.push(`HTTP ${response.statusCode}`);
    } catch (error) {
      state.failures.push(String(error));
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const commands = {
  hold,
  held: () => held,
  /** What has ended since this was asked last. */
  ends: () => {
    const told = ends;
    ends = [];
    return told;
  },
  /** Calls, one after the other, until `endLoad`. */
  load: (edge: string) => {
    void load(edge);
  },
  endLoad: (edge: string) => {
    const { calls = 0, failures = [] } = loads.get(edge) ?? {};
    const state = loads.get(edge);
    if (state !== undefined) state.isOver = true;
    return { calls, failures };
  },
};

export type HolderRole = typeof commands;

serveRole({}, commands);
