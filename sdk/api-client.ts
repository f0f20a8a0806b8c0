import { Agent, request as httpsRequest } from 'node:https';
import { errorOfStatus } from '../api/index.ts';
import { type CodedError, messageOf } from '../base/index.ts';
import { clientTls, type KeyStore } from '../certs/index.ts';
import { tunnelError } from '../tunnel/index.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 15_000;

/** The replicas' HTTP API with the client's certificate: the first replica that answers. */
export class Api {
  readonly #urls: readonly string[];
  readonly #agent: Agent;
  /** The replica that answered last is asked first. */
  #preferred = 0;

  constructor(urls: readonly string[], keys: KeyStore) {
    this.#urls = urls;
    this.#agent = new Agent({ ...clientTls(keys), keepAlive: true });
  }

  /** Asks for JSON; a failure status becomes the error that the replica said. Errors also: `link-refused` when none answers. */
  async json(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.request(method, path, body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
    const parsed: unknown = answer.body.length === 0 ? undefined : JSON.parse(answer.body.toString('utf8'));
    if (answer.status < 400) return parsed;
    throw errorOf(answer, parsed);
  }

  async request(method: string, path: string, body?: Buffer): Promise<ApiAnswer> {
    const failures: string[] = [];
    for (let index = 0; index < this.#urls.length; index++) {
      const at = (this.#preferred + index) % this.#urls.length;
      const url = this.#urls[at] ?? '';
      try {
        const answer = await this.#once(method, new URL(path, url), body);
        this.#preferred = at;
        return answer;
      } catch (error) {
        failures.push(`${url}: ${messageOf(error)}`);
        // What may have been executed is not repeated elsewhere.
        if (method !== 'GET' && method !== 'HEAD' && !isRefusedConnection(error)) break;
      }
    }
    throw tunnelError('link-refused', { detail: failures.join('; ') });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  #once(method: string, url: URL, body: Buffer | undefined): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      const headers = {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
      };
      const request = httpsRequest(url, { method, headers, agent: this.#agent, timeout: TIMEOUT_MS }, (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_BODY_BYTES) response.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
        response.once('error', reject);
      });
      request.once('timeout', () => request.destroy(new Error('no answer in time')));
      request.once('error', reject);
      request.end(body);
    });
  }
}

function isRefusedConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}

/** The replica's `Status` as an error with its code; what answers with anything else is no replica. */
function errorOf({ status }: ApiAnswer, body: unknown): CodedError {
  return errorOfStatus(body) ?? tunnelError('link-refused', { detail: `HTTP ${status} without a Status` });
}
