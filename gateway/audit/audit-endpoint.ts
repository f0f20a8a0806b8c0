import type { IncomingMessage, ServerResponse } from 'node:http';
import { auditPath, parseAuditRecord } from '../../api/index.ts';
import type { Clock, Timer } from '../../base/index.ts';
import { resourceError, sendError, type Access, type AccessAttributes } from '../../resources/index.ts';
import { tunnelError } from '../../tunnel/index.ts';
import { closeAll } from './audit-file.ts';
import type { AuditLog } from './audit-log.ts';
import { matches, parseAuditQuery, type AuditQuery } from './audit-query.ts';
import { readLines } from './audit-reader.ts';

export interface AuditEndpointOptions {
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Told of what is a fault of ours. */
  readonly onError: (error: unknown) => void;
}

/** Reading the log costs a thread and a disk; following it, memory. */
const MAX_READERS = 4;
const MAX_FOLLOWERS = 32;
/** Lines that wait for a follower, in bytes; one that is slower is cut off, and comes again with `since`. */
const MAX_BEHIND_BYTES = 4 * 1024 * 1024;
/** An empty line is sent so often, so that a client that is gone is noticed, and a replica that is gone by the client. */
const HEARTBEAT_MS = 15_000;
/** A client that takes nothing for so long is given up. */
const STALL_MS = 60_000;

/** `GET /v1/audit`: the log as JSON lines, and with `follow` what comes. */
export class AuditEndpoint {
  readonly #options: AuditEndpointOptions;
  #readers = 0;
  #followers = 0;

  constructor(options: AuditEndpointOptions) {
    this.#options = options;
  }

  /** Answers a request; false when its path is another one. */
  answer(request: IncomingMessage, response: ServerResponse, path: string, access: Access): boolean {
    if (path !== auditPath) return false;
    this.#answer(request, response, access).catch((error: unknown) => this.#fail(response, error));
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, access: Access): Promise<void> {
    if (request.method !== 'GET') throw resourceError('verb-unsupported', { detail: `${request.method ?? ''} audit` });
    const [, text = ''] = (request.url ?? '').split('?', 2);
    const query = parseAuditQuery(new URLSearchParams(text), Date.now());
    const attributes = attributesOf(query);
    if (!access.allows(attributes))
      throw resourceError('access-denied', { detail: `${access.principal} may not ${attributes.verb} audit` });
    if (this.#readers >= MAX_READERS || (query.follow && this.#followers >= MAX_FOLLOWERS))
      throw tunnelError('overloaded', { detail: 'others read the audit log', retryAfterMs: 1000 });
    await this.#serve(response, query, () => access.allows(attributes));
  }

  async #serve(response: ServerResponse, query: AuditQuery, isAllowed: () => boolean): Promise<void> {
    if (response.closed) return;
    const { audit, clock } = this.#options;
    const output = new LineOutput(response, clock, isAllowed);
    const line = (text: string): void => {
      const record = parseAuditRecord(text);
      if (record !== undefined && matches(query, record)) output.push(text);
    };
    if (query.follow) {
      this.#followers++;
      response.once('close', () => this.#followers--);
    }
    this.#readers++;
    try {
      const { files, follow } = await audit.read({ line, end: () => output.end() });
      if (query.follow && !response.closed) response.once('close', () => follow.stop());
      else follow.stop();
      try {
        response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
        response.flushHeaders();
        for await (const lines of readLines(files, query)) if (!(await output.write(lines))) return;
      } finally {
        await closeAll(files);
      }
    } finally {
      this.#readers--;
    }
    output.goOn();
    if (!query.follow) output.end();
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent) response.destroy();
    else sendError(response, error, { kind: 'audit' });
    if (!(error instanceof Error && 'status' in error)) this.#options.onError(error);
  }
}

/** Lines on their way to one client: first what was there, then what came meanwhile and comes. */
class LineOutput {
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #isAllowed: () => boolean;
  /** What came before its turn. */
  #early: string[] | undefined = [];
  #earlyBytes = 0;
  #isEnded = false;
  #heartbeat: Timer | undefined;

  constructor(response: ServerResponse, clock: Clock, isAllowed: () => boolean) {
    this.#response = response;
    this.#clock = clock;
    this.#isAllowed = isAllowed;
    response.once('close', () => this.#heartbeat?.cancel());
  }

  /** Resolves when there is room for more; with false when there never will be. */
  async write(lines: readonly string[]): Promise<boolean> {
    const response = this.#response;
    if (response.destroyed) return false;
    if (lines.length === 0 || response.write(`${lines.join('\n')}\n`)) return true;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.on('drain', done);
      response.on('close', done);
      timer = this.#clock.after(STALL_MS, () => response.destroy());
    });
    timer?.cancel();
    return !response.destroyed;
  }

  push(line: string): void {
    if (this.#early === undefined) {
      this.#send(line);
      return;
    }
    this.#early.push(line);
    this.#earlyBytes += line.length;
    if (this.#earlyBytes > MAX_BEHIND_BYTES) this.#response.destroy();
  }

  /** What was there is written: now what came meanwhile, and an empty line, which says so. */
  goOn(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#send(`${early.join('')}\n`);
    if (this.#isEnded) this.#response.end();
    else this.#beat();
  }

  /** Once what was there is written. */
  end(): void {
    this.#isEnded = true;
    this.#heartbeat?.cancel();
    if (this.#early === undefined) this.#response.end();
  }

  #send(text: string): void {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) return;
    // Who has lost the right meanwhile sees no more, and who does not read is not waited for.
    if (!this.#isAllowed() || response.writableLength > MAX_BEHIND_BYTES) response.destroy();
    else response.write(text);
  }

  #beat(): void {
    this.#heartbeat = this.#clock.after(HEARTBEAT_MS, () => {
      this.#send('\n');
      if (!this.#response.destroyed && !this.#isEnded) this.#beat();
    });
  }
}

function attributesOf({ follow }: AuditQuery): AccessAttributes {
  const nothing = { edge: '', subresource: '', namespace: '', name: '' };
  return { ...nothing, verb: follow ? 'watch' : 'get', group: 'causeway.io', resource: 'audit' };
}
