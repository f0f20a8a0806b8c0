import { once } from 'node:events';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import { apiServerOptions, type PemCredentials } from '../baseline/credentials.ts';
import { ReplicaClient, type Reply } from './replica-client.ts';

export interface BareServerOptions {
  readonly server: PemCredentials;
  readonly client: PemCredentials;
  /** Whose answers it gives. */
  readonly apiPort: number;
  /** Those of these paths. */
  readonly paths: readonly string[];
  /** A plain watch, whose lines it gives to whoever asks for a watch. */
  readonly watchUrl: string;
}

/** Lines that come within this time go out together, as those of a feed do. */
const batchMs = 20;

/**
 * The least that a server of the same answers can be: `node:https` with the listener's mTLS, the same bytes from memory. A
 * watch is one line given to everybody.
 */
export async function startBareServer(options: BareServerOptions): Promise<Child<{ readonly port: number }>> {
  return await startChild(import.meta.filename, options);
}

async function run({ server, client, apiPort, paths, watchUrl }: BareServerOptions): Promise<{ port: number }> {
  const replica = new ReplicaClient(apiPort, client);
  const replies = new Map<string, Reply>();
  for (const path of paths) replies.set(path, await replica.get(path));
  const fan = new Fan(watchUrl);
  const answer = ({ url = '' }: IncomingMessage, response: ServerResponse): void => {
    if (url.includes('watch=true')) return fan.add(response);
    const reply = replies.get(url);
    if (reply === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': reply.contentType, 'content-length': reply.body.length });
    response.end(reply.body);
  };
  const listener = createServer({ ...apiServerOptions(server), keepAliveTimeout: 600_000 }, answer);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return { port: (listener.address() as AddressInfo).port };
}

/** Gives what one watch brings to all. */
class Fan {
  readonly #url: string;
  readonly #watchers = new Set<ServerResponse>();
  #parts: Buffer[] = [];
  #isOpen = false;

  constructor(url: string) {
    this.#url = url;
  }

  add(response: ServerResponse): void {
    if (!this.#isOpen) this.#open();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.#watchers.add(response);
    response.once('close', () => this.#watchers.delete(response));
  }

  #open(): void {
    this.#isOpen = true;
    get(this.#url, (answer) => {
      answer.on('data', (bytes: Buffer) => {
        this.#parts.push(bytes);
        if (this.#parts.length === 1) setTimeout(() => this.#send(), batchMs);
      });
    });
  }

  #send(): void {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    for (const watcher of this.#watchers) watcher.write(bytes);
  }
}

if (import.meta.main) serveAsChild(run);
