import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import {
  contentLength,
  couple,
  endToEndTrailers,
  type KindStream,
  plainHeaderName,
  type RawHeaders,
  RecordReader,
  type RecordSink,
  RecordWriter,
  tunnelError,
} from '../../tunnel/index.ts';
import { MAX_UPSTREAM_HEAD_BYTES, type HttpService, type Upstream } from './http-service.ts';
import type { ServiceRequest } from './serve-http.ts';
import { connectFailure, exchangeFailure } from './service-error.ts';

/**
 * One request over a connection of its own, by node's client: it switches protocols, waits for `100 Continue` and sends
 * trailers, none of which undici does. A new connection cannot lose the race against a server that closes idle ones, so
 * nothing is ever tried twice.
 */
export class DirectExchange implements RecordSink {
  readonly #stream: KindStream;
  readonly #service: HttpService;
  /** As it was when the request came: credentials may change meanwhile. */
  readonly #upstream: Upstream;
  readonly #request: ServiceRequest;
  readonly #writer: RecordWriter;
  readonly #reader: RecordReader;
  /** Body that the request's head has promised and that is still to come. */
  #missing: number | undefined;
  #client: ClientRequest | undefined;
  /** Where the bytes behind RAW go. */
  #switched: Duplex | undefined;
  #connected = false;
  #complete = false;

  constructor(stream: KindStream, service: HttpService, request: ServiceRequest) {
    this.#stream = stream;
    this.#service = service;
    this.#upstream = service.upstream;
    this.#request = request;
    this.#writer = new RecordWriter(stream);
    this.#reader = new RecordReader(request.head.upgrade === undefined ? 'body' : 'switch', this);
  }

  start(): void {
    const stream = this.#stream;
    stream.on('error', ignore);
    stream.on('close', () => {
      if (!this.#complete && this.#switched === undefined) this.#client?.destroy();
    });
    let client: ClientRequest;
    try {
      client = this.#openRequest();
    } catch (error) {
      // node refuses names and values that are none.
      stream.refuse(tunnelError('record-malformed', { cause: error }));
      return;
    }
    this.#client = client;
    client.on('error', (error) => this.#fail(error));
    client.on('socket', (socket) => this.#awaitConnection(socket));
    client.on('continue', () => this.#writer.info({ status: 100, statusText: 'Continue', headers: [] }));
    client.on('information', ({ statusCode, statusMessage, rawHeaders }) => {
      // 100 has come as `continue`.
      if (statusCode !== 100) this.#writer.info({ status: statusCode, statusText: statusMessage, headers: rawHeaders });
    });
    client.on('response', (response) => this.#attempt(() => this.#onResponse(client, response)));
    client.on('upgrade', (response, socket, rest) => this.#attempt(() => this.#onUpgrade(response, socket, rest)));
    client.on('drain', () => stream.resume());
    client.setTimeout(this.#service.headTimeoutMs, () => client.destroy(tunnelError('upstream-timeout')));
    if (this.#request.head.body !== true) client.end();
  }

  onData(chunk: Buffer): void {
    if (this.#missing !== undefined) {
      this.#missing -= chunk.length;
      if (this.#missing < 0) throw tunnelError('record-malformed', { detail: 'more body than declared' });
    }
    if (this.#client?.write(chunk) === false) this.#stream.pause();
  }

  onTrailers(received: RawHeaders): void {
    const { ownNames } = this.#service;
    const trailers = endToEndTrailers(received, (name) => ownNames.has(plainHeaderName(name)));
    const pairs: [string, string][] = [];
    for (let index = 0; index + 1 < trailers.length; index += 2)
      pairs.push([trailers[index] ?? '', trailers[index + 1] ?? '']);
    this.#client?.addTrailers(pairs);
  }

  onEnd(): void {
    if (this.#missing !== undefined && this.#missing > 0)
      throw tunnelError('record-malformed', { detail: 'less body than declared' });
    this.#client?.end();
  }

  onRaw(rest: Buffer): void {
    const socket = this.#switched;
    if (socket === undefined) throw tunnelError('record-malformed', { detail: 'RAW before the switch' });
    this.#stream.removeAllListeners('data');
    if (rest.length > 0) socket.write(rest);
    this.#stream.pipe(socket);
  }

  onInfo(): void {
    // Not in this direction: the reader refuses it.
  }

  onHead(): void {
    // Not in this direction: the reader refuses it.
  }

  #openRequest(): ClientRequest {
    const { config } = this.#service;
    const { secure, hostname, port, authority, tls } = this.#upstream;
    const { method, path, headers, head } = this.#request;
    const all = ['Host', authority, ...headers];
    if (head.upgrade !== undefined) all.push('Connection', 'Upgrade', 'Upgrade', head.upgrade);
    if (head.expectContinue === true) all.push('Expect', '100-continue');
    if (head.body === true) {
      this.#missing = contentLength(headers);
      // Without a length node would send the bodies of some methods with no framing at all.
      if (this.#missing === undefined) all.push('Transfer-Encoding', 'chunked');
    }
    return (secure ? httpsRequest : httpRequest)({
      method,
      path,
      headers: all,
      agent: false,
      maxHeaderSize: MAX_UPSTREAM_HEAD_BYTES,
      ...(config.socketPath === undefined ? { host: hostname, port } : { socketPath: config.socketPath }),
      ...(secure ? { ...tls, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] } : {}),
    });
  }

  #awaitConnection(socket: Socket): void {
    const timer = setTimeout(
      () => this.#client?.destroy(tunnelError('upstream-timeout', { detail: 'connect' })),
      this.#service.connectTimeoutMs,
    );
    socket.once('close', () => clearTimeout(timer));
    socket.once(this.#upstream.secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      this.#connected = true;
      if (this.#request.head.body === true) this.#readStream();
    });
  }

  /** Not before there is a connection: what has been read cannot be refused. */
  #readStream(): void {
    this.#stream.on('data', (chunk: Buffer) => this.#attempt(() => this.#reader.push(chunk)));
    this.#stream.on('end', () => this.#attempt(() => this.#reader.finish()));
  }

  #onResponse(client: ClientRequest, response: IncomingMessage): void {
    const stream = this.#stream;
    client.setTimeout(this.#service.silenceTimeoutMs);
    this.#writer.head({
      status: response.statusCode ?? 502,
      statusText: response.statusMessage ?? '',
      headers: response.rawHeaders,
    });
    response.on('data', (chunk: Buffer) => {
      if (!this.#writer.data(chunk)) response.pause();
    });
    stream.on('drain', () => response.resume());
    response.on('error', (error) => this.#fail(error));
    response.on('end', () =>
      this.#attempt(() => {
        this.#complete = true;
        if (response.rawTrailers.length > 0) this.#writer.trailers(response.rawTrailers);
        this.#writer.end();
        this.#reader.stop();
        stream.resume();
      }),
    );
  }

  #onUpgrade(response: IncomingMessage, socket: Duplex, rest: Buffer): void {
    const stream = this.#stream;
    this.#switched = socket;
    this.#client?.setTimeout(0);
    this.#writer.head({ status: 101, statusText: response.statusMessage ?? '', headers: response.rawHeaders });
    this.#writer.raw();
    if (rest.length > 0) stream.write(rest);
    couple(stream, socket, exchangeFailure);
    // The service may speak first; the opener's bytes follow its RAW.
    socket.pipe(stream);
    this.#readStream();
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(
        error instanceof TypeError ? tunnelError('record-malformed', { detail: error.message, cause: error }) : error,
      );
    }
  }

  #fail(error: unknown): void {
    if (this.#complete || this.#stream.destroyed) return;
    this.#reader.stop();
    if (this.#connected) this.#stream.destroy(exchangeFailure(error));
    else this.#stream.refuse(connectFailure(error));
    this.#client?.destroy();
  }
}

function ignore(): void {
  // `close` follows and is what counts.
}
