import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import { Cluster, type ClusterOptions } from '../support/cluster.ts';
import type { Answer } from '../support/edge-path.ts';
import type { AskOptions } from '../support/fleet-access.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { within } from '../support/wait-for.ts';
import { startUpstream, type Upstream } from './upstream.ts';

/** The path of the web server at the first edge. */
export const WEB = '/edges/edge-1/web';

/** A fleet of one edge with everything that stands there; it has to leave nothing behind. */
export async function start(t: Test, options: ClusterOptions = {}): Promise<{ cluster: Cluster; upstream: Upstream }> {
  withLeakCheck(t);
  const upstream = await startUpstream(t, 'edge-1');
  const cluster = await Cluster.start(t, { services: () => upstream.services, ...options });
  return { cluster, upstream };
}

/** Sends a request and waits for the head of its answer; whoever closes what comes back ends it. */
export async function begin(cluster: Cluster, path: string, options: AskOptions = {}) {
  const request = cluster.open(path, options);
  request.on('error', () => undefined);
  request.end();
  const [response] = (await within('the head', once(request, 'response'))) as [IncomingMessage];
  response.on('error', () => undefined);
  return { request, response };
}

/** The code of the error that an answer tells. */
export function codeIn(answer: Answer): unknown {
  return answer.headers['causeway-code'];
}

/** Resolves when the other end took the stream; rejects with the reason why not. */
export async function opened(stream: NodeJS.EventEmitter): Promise<void> {
  await within('the stream to open or fail', once(stream, 'open'));
}

/** Resolves at `close`, whatever came before it. */
export function closed(emitter: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once('close', resolve));
}
