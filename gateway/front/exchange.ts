import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf, type CodedError } from '../../base/index.ts';
import {
  endToEndTrailers,
  type HttpResponseHead,
  type KindStream,
  type RawHeaders,
  RecordReader,
  type RecordSink,
  RecordWriter,
  type Traffic,
  tunnelError,
} from '../../tunnel/index.ts';
import { abortResponse, codedFailure, sendFailure, unanswered } from './failure.ts';
import { forwardedResponse, headersByName } from './forwarded-head.ts';

/** What RFC 5861, 4, counts as an error. */
const serverFailures = new Set([500, 502, 503, 504]);

/** How an exchange ended, for metrics and audit. */
export interface ExchangeOutcome {
  /** The status that the client got; 0 when its connection went before. */
  readonly status: number;
  /** Why it did not come to its end; undefined when it did. */
  readonly code: string | undefined;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface ExchangeOptions {
  /** The stream's head announces a body. */
  readonly body: boolean;
  /** Called once. */
  readonly onDone?: ((outcome: ExchangeOutcome) => void) | undefined;
  /** Answers in place of a failure, or of an answer of 500, 502, 503 or 504, while nothing has been answered. */
  readonly instead?: ((failure: CodedError) => void) | undefined;
  /** The service switched protocols; without it a 101 is a failure. `rest` came behind the marker. */
  readonly onSwitch?: (head: HttpResponseHead, rest: Buffer) => Traffic;
}

/**
 * One request and its answer over one stream. The two directions are independent, each with its own back-pressure; whatever
 * goes wrong on one side ends the other so that it can be told from a good end.
 */
export class Exchange implements RecordSink {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #stream: KindStream;
  readonly #options: ExchangeOptions;
  readonly #reader: RecordReader;
  readonly #writer: RecordWriter;
  #done = false;
  /** The connection is not HTTP any more: `splice` looks after it. */
  #switched = false;
  #switchHead: HttpResponseHead | undefined;
  /** The answer's body that is still to come; undefined when its length is not declared. */
  #missing: number | undefined;
  /** A head was written in this turn, and nothing behind it. */
  #headOnly = false;
  /** The request is about to be paused. */
  #pausing = false;
  #requestBytes = 0;
  #responseBytes = 0;
  /** The newest body chunk of this turn: it may go out with the answer's end, in one write. */
  #last: Buffer | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, stream: KindStream, options: ExchangeOptions) {
    this.#request = request;
    this.#response = response;
    this.#stream = stream;
    this.#options = options;
    this.#reader = new RecordReader('head', this);
    this.#writer = new RecordWriter(stream);
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('end', () => this.#attempt(() => this.#reader.finish()));
    stream.on('error', (error) => this.#fail(error));
    response.on('close', () => this.#clientGone());
    response.on('drain', () => stream.resume());
    if (options.body) this.#sendBody();
    else if (options.onSwitch === undefined) stream.end();
  }

  onInfo(head: HttpResponseHead): void {
    if (this.#request.httpVersion === '1.0') return;
    if (head.status === 100) {
      if (this.#request.headers.expect !== undefined) this.#response.writeContinue();
    } else if (this.#response.socket !== null) {
      // A pipelined request's response has no socket yet, and interim answers need not be sent.
      this.#response.writeInformation(head.status, headersByName(head.headers));
    }
  }

  onHead(head: HttpResponseHead): void {
    if (head.status === 101) {
      if (this.#options.onSwitch === undefined)
        throw tunnelError('record-malformed', { detail: '101 that nobody asked for' });
      this.#switchHead = head;
      return;
    }
    if (this.#options.instead !== undefined && serverFailures.has(head.status)) {
      this.#fail(tunnelError('upstream-failed', { detail: `HTTP ${head.status}` }));
      return;
    }
    const { headers, bodyBytes } = forwardedResponse(head, this.#request);
    this.#missing = bodyBytes;
    this.#headOnly = true;
    if (this.#request.httpVersionMajor >= 2) this.#response.writeHead(head.status, headers);
    else this.#response.writeHead(head.status, head.statusText, headers);
    if (this.#options.onSwitch !== undefined) this.#stream.end();
  }

  onData(chunk: Buffer): void {
    this.#responseBytes += chunk.length;
    if (this.#missing !== undefined) {
      this.#missing -= chunk.length;
      if (this.#missing < 0) throw tunnelError('record-malformed', { detail: 'more body than declared' });
    }
    this.#writeLast();
    this.#last = chunk;
  }

  onTrailers(trailers: RawHeaders): void {
    this.#writeLast();
    const byName = headersByName(trailers);
    if (this.#request.httpVersionMajor >= 2) this.#response.addTrailers(byName);
    else
      this.#response.addTrailers(
        Object.entries(byName).flatMap(([name, values]) => values.map((value): [string, string] => [name, value])),
      );
  }

  onEnd(): void {
    if (this.#missing !== undefined && this.#missing > 0)
      throw tunnelError('record-malformed', { detail: 'less body than declared' });
    const last = this.#last;
    this.#last = undefined;
    this.#headOnly = false;
    if (last === undefined) this.#response.end();
    else this.#response.end(last);
    this.#finish(undefined);
    if (this.#options.body && !this.#request.complete) {
      // The answer came before the request's end: nobody wants the rest.
      this.#stream.destroy(tunnelError('canceled'));
    } else {
      // FIN has to be read, also where the client is too slow for the body that was just written.
      this.#stream.resume();
    }
  }

  onRaw(rest: Buffer): void {
    const head = this.#switchHead;
    if (head === undefined) return;
    const stream = this.#stream;
    stream.removeAllListeners('data');
    this.#writer.raw();
    const traffic = this.#options.onSwitch?.(head, rest);
    this.#switched = true;
    stream.on('close', () => {
      this.#requestBytes = traffic?.sent ?? 0;
      this.#responseBytes = traffic?.received ?? 0;
      this.#finish(stream.errored === null ? undefined : codeOf(stream.errored), 101);
    });
  }

  #sendBody(): void {
    const request = this.#request;
    const stream = this.#stream;
    request.on('data', (chunk: Buffer) => {
      if (stream.destroyed || stream.writableEnded) return;
      this.#requestBytes += chunk.length;
      if (!this.#writer.data(chunk)) this.#pauseBody();
    });
    request.on('end', () =>
      this.#attempt(() => {
        if (stream.destroyed) return;
        const trailers = endToEndTrailers(request.rawTrailers);
        if (trailers.length > 0) this.#writer.trailers(trailers);
        this.#writer.end();
      }),
    );
    stream.on('drain', () => this.#resumeBody());
    // The rest of a body that nobody wants any more is thrown away, so that the client's connection can go on.
    stream.on('close', () => this.#resumeBody());
  }

  /**
   * Stops reading once what the connection has read is parsed: all of that comes here, where it is put together, while a
   * paused request would keep it as it came, some 200 bytes a piece, and a piece may be one byte. For the same reason the
   * connection is stopped too, and not only when node's own 64 KiB are full. HTTP/2 stops a stream by itself.
   */
  #pauseBody(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    setImmediate(() => {
      this.#pausing = false;
      const request = this.#request;
      if (!this.#stream.writableNeedDrain) return;
      request.pause();
      // What is behind a whole request is another one's.
      if (request.httpVersionMajor === 1 && !request.complete) request.socket.pause();
    });
  }

  #resumeBody(): void {
    this.#request.resume();
    if (this.#request.httpVersionMajor === 1) this.#request.socket.resume();
  }

  #read(chunk: Buffer): void {
    this.#attempt(() => {
      this.#reader.push(chunk);
      this.#writeLast();
      // Node keeps a head until there is a body; an event stream's client waits for the head.
      if (this.#headOnly) this.#response.flushHeaders();
      this.#headOnly = false;
    });
  }

  /** Writes what waits for the answer's end in the same turn. */
  #writeLast(): void {
    const last = this.#last;
    if (last === undefined) return;
    this.#last = undefined;
    this.#headOnly = false;
    if (!this.#response.write(last)) this.#stream.pause();
  }

  /** What the other end sent may be anything, and node refuses some of it only when it is written. */
  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(cause: unknown): void {
    if (this.#done || this.#switched) return;
    this.#reader.stop();
    this.#last = undefined;
    const failure =
      cause instanceof TypeError
        ? tunnelError('record-malformed', { detail: cause.message, cause })
        : codedFailure(cause);
    const began = this.#response.headersSent;
    const error = began ? failure : unanswered(failure);
    this.#finish(error.code, began ? this.#response.statusCode : error.status);
    if (!began && this.#options.instead !== undefined && error.status >= 500) this.#options.instead(error);
    else if (began) abortResponse(this.#response);
    else sendFailure(this.#response, error);
    if (!this.#stream.destroyed) this.#stream.destroy(error);
  }

  #clientGone(): void {
    if (this.#done || this.#switched) return;
    this.#reader.stop();
    this.#finish('canceled', 0);
    this.#stream.destroy(tunnelError('canceled'));
  }

  #finish(code: string | undefined, status: number = this.#response.statusCode): void {
    if (this.#done) return;
    this.#done = true;
    this.#options.onDone?.({ status, code, requestBytes: this.#requestBytes, responseBytes: this.#responseBytes });
  }
}
