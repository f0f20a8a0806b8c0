import { isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { CallCredentials, ChannelCredentials, Client, Metadata, type ServiceError } from '@grpc/grpc-js';

import { EtcdFailure, etcdError } from './etcd-failure.ts';
import type { Method } from './etcd-protocol.ts';

/** PEM. Without `ca` the system's roots count; `cert` and `key` are this client's own. */
export interface EtcdTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface EtcdStream<Request> {
  send(request: Request): void;
  /** Ends it at once; nothing is called any more. */
  cancel(): void;
}

export interface EtcdStreamListener<Response> {
  readonly onMessage: (message: Response) => void;
  /** Once, whoever ended it, but for `cancel`. */
  readonly onEnd: (error: Error) => void;
}

/** Options of gRPC: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html */
const channelOptions = {
  // A connection of its own: what fails here is made anew here.
  'grpc.use_local_subchannel_pool': 1,
  // Which member to ask, and whether again, is decided by EtcdMembers, which knows what may be repeated.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  // etcd stands beside the replicas; an HTTP proxy of the environment is for the way out.
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // etcd closes a connection that pings more often than each 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  // A watch that catches up gets a thousand revisions in one message.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};

/** The connection to one member. The one file that imports gRPC. */
export class EtcdConnection {
  readonly endpoint: string;
  readonly #client: Client;
  readonly #connector: Connector;
  #underWay = 0;
  #isClosed = false;

  /** `endpoint`: `http://host:port` or `https://host:port`. Throws what OpenSSL finds wrong with the PEM. */
  constructor(endpoint: string, tls: EtcdTls) {
    this.endpoint = endpoint;
    const { protocol, host, hostname } = new URL(endpoint);
    this.#connector = new Connector(protocol === 'https:' ? tlsOptions(hostname, tls) : undefined);
    this.#client = new Client(host, this.#connector, channelOptions);
  }

  /** One request and its answer. Rejects with what `etcdError` makes of it, `silent` when there is no answer in time. */
  request<Request, Response>(
    { path, encode, decode }: Method<Request, Response>,
    request: Request,
    { timeoutMs, token }: { readonly timeoutMs: number; readonly token: string | undefined },
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#begin();
      const options = { deadline: Date.now() + timeoutMs };
      this.#client.makeUnaryRequest(path, encode, decode, request, metadataOf(token), options, (error, response) => {
        this.#end();
        if (error !== null) reject(etcdError(error.code, error.details, this.endpoint));
        else if (response === undefined) reject(new EtcdFailure('silent', `${this.endpoint}: an empty answer`));
        else resolve(response);
      });
    });
  }

  /** The first answer on a stream of its own, for what etcd has as a stream. Rejects as `request` does. */
  exchange<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { timeoutMs, token }: { readonly timeoutMs: number; readonly token: string | undefined },
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const late = (): void => {
        stream.cancel();
        reject(new EtcdFailure('silent', `${this.endpoint}: no answer in ${Math.round(timeoutMs)} ms`));
      };
      const timer = setTimeout(late, timeoutMs);
      const stream = this.open(method, request, token, {
        onMessage(message: Response) {
          clearTimeout(timer);
          stream.cancel();
          resolve(message);
        },
        onEnd(error) {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  /** Opens a stream, with `request` as its first message. Throws when it is closed. */
  open<Request, Response>(
    { path, encode, decode }: Method<Request, Response>,
    request: Request,
    token: string | undefined,
    { onMessage, onEnd }: EtcdStreamListener<Response>,
  ): EtcdStream<Request> {
    this.#begin();
    let isOver = false;
    const end = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      this.#end();
      onEnd(error);
    };
    const stream = this.#client.makeBidiStreamRequest(path, encode, decode, metadataOf(token));
    stream.on('data', (message: Response) => {
      if (!isOver) onMessage(message);
    });
    stream.on('error', (error: ServiceError) => end(etcdError(error.code, error.details, this.endpoint)));
    stream.on('end', () => end(new EtcdFailure('silent', `${this.endpoint} ended the stream`)));
    stream.write(request);
    return {
      send: (message) => void (isOver || stream.write(message)),
      cancel: () => {
        if (isOver) return;
        isOver = true;
        stream.cancel();
        this.#end();
      },
    };
  }

  /** Nothing new goes over it; what is under way ends by itself, and the connection with the last of it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#client.close();
    if (this.#underWay === 0) this.destroy();
  }

  /** Cuts it. */
  destroy(): void {
    this.close();
    this.#connector.cut();
  }

  #begin(): void {
    if (this.#isClosed) throw new EtcdFailure('refused', `${this.endpoint}: the connection is closed`);
    this.#underWay++;
  }

  #end(): void {
    this.#underWay--;
    if (this.#isClosed && this.#underWay === 0) this.destroy();
  }
}

/**
 * How gRPC comes to its sockets. It is made here to be able to cut them: gRPC itself ends a connection in good order only, and
 * waits for ever for a member that stands still. And it has TLS check an address as an address, not as a name.
 */
class Connector extends ChannelCredentials {
  readonly #tls: ConnectionOptions | undefined;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  constructor(tls: ConnectionOptions | undefined) {
    super();
    this.#tls = tls;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  override compose(): ChannelCredentials {
    throw new Error('these credentials are of the connection alone');
  }

  override _isSecure(): boolean {
    return this.#tls !== undefined;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(): ReturnType<ChannelCredentials['_createSecureConnector']> {
    return {
      connect: async (socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
        if (this.#isCut) socket.destroy();
        return this.#tls === undefined
          ? { socket, secure: false }
          : { socket: await secured(socket, this.#tls), secure: true };
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}

function secured(socket: Socket, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connectTls({ ...options, socket }, () => resolve(secure));
    secure.once('error', reject);
  });
}

function tlsOptions(hostname: string, { ca, cert, key }: EtcdTls): ConnectionOptions {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['h2'],
    secureContext: createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    }),
  };
}

/**
 * `hasleader`: a member that has lost its leader says so at once and ends its streams. Without it, a watch at a member that
 * is cut off from the others is silent for as long as that lasts, as if nothing happened.
 */
function metadataOf(token: string | undefined): Metadata {
  const metadata = new Metadata();
  metadata.set('hasleader', 'true');
  if (token !== undefined) metadata.set('token', token);
  return metadata;
}
