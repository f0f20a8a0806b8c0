import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { errorOfStatus } from '../api/index.ts';
import { CodedError, codeOf, messageOf, systemClock } from '../base/index.ts';
import { clientTls, type KeyStore } from '../certs/index.ts';
import { exchange, readAll, type Transport, type TransportAnswer, type TransportRequest } from '../resources/index.ts';
import { tunnelError } from '../tunnel/index.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** A replica that has not begun to answer by then is left for the next one. */
const TIMEOUT_MS = 15_000;

/** The replicas' HTTP API with the client's certificate: the first replica that answers. */
export class Api {
  readonly #urls: readonly string[];
  readonly #keys: KeyStore;
  #agent: Agent;
  /** What the agent's connections are opened with. */
  #opensWith: string;
  /** The replica that answered last is asked first. */
  #preferred = 0;

  constructor(urls: readonly string[], keys: KeyStore) {
    this.#urls = urls;
    this.#keys = keys;
    this.#agent = new Agent({ ...clientTls(keys), keepAlive: true });
    this.#opensWith = credentialsOf(keys);
  }

  /**
   * One exchange with the first replica that answers; its body streams. What may have been executed is not repeated
   * elsewhere. Throws `link-refused` when none answers.
   */
  readonly transport: Transport = async (request): Promise<TransportAnswer> => {
    const failures: string[] = [];
    for (let index = 0; index < this.#urls.length; index++) {
      const at = (this.#preferred + index) % this.#urls.length;
      const url = this.#urls[at] ?? '';
      try {
        const response = await this.#ask(request, new URL(request.path, url));
        this.#preferred = at;
        return { status: response.statusCode ?? 0, headers: response.headers, body: response };
      } catch (error) {
        request.signal.throwIfAborted();
        failures.push(`${url}: ${messageOf(error)}`);
        if (request.method !== 'GET' && request.method !== 'HEAD' && codeOf(error) !== 'ECONNREFUSED') break;
      }
    }
    throw tunnelError('link-refused', { detail: failures.join('; ') });
  };

  /**
   * Asks for JSON; a PATCH is a merge patch. A failure status becomes the error that the replica said. Errors also:
   * `link-refused` when none answers.
   */
  async json(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.request(method, path, body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
    const parsed: unknown = answer.body.length === 0 ? undefined : JSON.parse(answer.body.toString('utf8'));
    if (answer.status < 400) return parsed;
    throw errorOf(answer, parsed);
  }

  /** As `json`, with the answer as it came. */
  async request(method: string, path: string, body?: Buffer): Promise<ApiAnswer> {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': contentType, 'content-length': String(body.length) }),
    };
    const request = { method, path, headers, ...(body === undefined ? {} : { body }) };
    const silenceMs = TIMEOUT_MS * (this.#urls.length + 1);
    try {
      const answer = await exchange(this.transport, request, { clock: systemClock, silenceMs });
      const dict = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, copyOf(value)]));
      return { status: answer.status, headers: dict, body: await readAll(answer.body, MAX_BODY_BYTES) };
    } catch (error) {
      const isLost = error instanceof CodedError && error.code.startsWith('answer-');
      throw isLost ? tunnelError('link-refused', { detail: messageOf(error), cause: error }) : error;
    }
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  /**
   * A connection that was kept may have been closed by the other end just now: what changes nothing is asked again on a
   * new one.
   */
  async #ask(request: TransportRequest, url: URL): Promise<IncomingMessage> {
    const isSafe = request.method === 'GET' || request.method === 'HEAD';
    try {
      return await this.#once(request, url);
    } catch (error) {
      if (!isSafe || request.signal.aborted || codeOf(error) !== 'ECONNRESET') throw error;
      return await this.#once(request, url);
    }
  }

  /** Of a key store that changes while it is in use: new connections are opened with what is in it now. */
  #currentAgent(): Agent {
    const opensWith = credentialsOf(this.#keys);
    if (opensWith === this.#opensWith) return this.#agent;
    // What is under way ends by itself; a connection that is idle is closed by the replica.
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    this.#agent = new Agent({ ...clientTls(this.#keys), keepAlive: true });
    this.#opensWith = opensWith;
    return this.#agent;
  }

  #once({ method, headers, body, signal }: TransportRequest, url: URL): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = httpsRequest(url, { method, headers, agent: this.#currentAgent(), signal }, (response) => {
        request.setTimeout(0);
        resolve(response);
      });
      request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error('no answer in time')));
      request.once('error', reject);
      // Once the answer has begun, its own stream tells what goes wrong; here it has to be heard only.
      request.on('error', () => undefined);
      request.end(body);
    });
  }
}

function credentialsOf({ chainPem, trust }: KeyStore): string {
  return `${chainPem}\n${trust.version}`;
}

function copyOf(value: string | readonly string[] | undefined): string | string[] | undefined {
  return typeof value === 'object' ? [...value] : value;
}

/** The replica's `Status` as an error with its code; what answers with anything else is no replica. */
function errorOf({ status }: ApiAnswer, body: unknown): CodedError {
  return errorOfStatus(body) ?? tunnelError('link-refused', { detail: `HTTP ${status} without a Status` });
}
