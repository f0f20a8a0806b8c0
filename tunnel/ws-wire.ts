import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer, type ClientOptions, type RawData, type ServerOptions } from 'ws';
import { messageOf, type CodedError } from '../base/index.ts';
import { defaultLimits, type TunnelLimits } from './limits.ts';
import { isTunnelCode, tunnelError, tunnelErrorFromWire } from './tunnel-error.ts';
import { nobody, type Wire, type WireUser } from './wire.ts';

/** The WebSocket subprotocol of a link, and its path: docs/protocol.md, section 2. */
export const LINK_PROTOCOL = 'causeway.link.v1';
export const LINK_PATH = '/v1/link';

const NORMAL_CLOSE = 1000;
/** A peer that does not answer a close is cut after this. */
const CLOSE_MS = 2_000;

/** A wire over an open WebSocket: the one file that knows `ws`. */
class WsWire implements Wire {
  readonly remote: string;
  user: WireUser = nobody;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, remote: string) {
    this.#socket = socket;
    this.remote = remote;
    socket.binaryType = 'nodebuffer';
    let reason = '';
    socket.on('message', (data: RawData, isBinary) => {
      if (!isBinary) this.user.onText();
      else if (Buffer.isBuffer(data)) this.user.onMessage(data);
    });
    socket.on('error', (error) => {
      reason = messageOf(error);
    });
    socket.once('close', (code, text) => this.user.onClose(reason || text.toString('utf8') || `WebSocket code ${code}`));
  }

  send(message: Buffer): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  close(reason: string): void {
    this.#socket.close(NORMAL_CLOSE, reason.slice(0, 120));
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
    timer.unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.#socket.terminate();
  }
}

/** What both ends set: nothing is compressed, and all that a peer could make this side keep is bounded. */
function bounds(limits: TunnelLimits): Pick<ServerOptions & ClientOptions, 'maxPayload' | 'perMessageDeflate' | 'skipUTF8Validation'> {
  return {
    maxPayload: limits.maxMessageBytes,
    // A fragmented message is not ours, but harmless while it is short.
    ...{ maxFragments: 16, maxBufferedChunks: 1024 },
    perMessageDeflate: false,
    skipUTF8Validation: true,
  };
}

export interface WsDialOptions {
  /** Connected, and where it is TLS, through with its handshake. */
  readonly socket: Socket;
  /** What the `Host` header says. */
  readonly host: string;
  /** Masks with zeros, so that neither end spends time on it: TLS does what masking is for. Default true. */
  readonly zeroMask?: boolean;
  readonly limits?: TunnelLimits;
}

/** Opens a link's WebSocket on a connected socket. Errors: `link-refused`, with `retryAfterMs` where the server said so. */
export function dialWsWire({ socket, host, zeroMask = true, limits = defaultLimits }: WsDialOptions): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(`ws://${host}${LINK_PATH}`, LINK_PROTOCOL, {
      ...bounds(limits),
      createConnection: () => socket,
      handshakeTimeout: limits.handshakeMs,
      followRedirects: false,
      ...(zeroMask ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
    });
    const wire = new WsWire(webSocket, `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`);
    const refuse = (error: CodedError): void => {
      socket.destroy();
      reject(error);
    };
    webSocket.once('error', (cause) => refuse(tunnelError('link-refused', { detail: messageOf(cause), cause })));
    webSocket.once('unexpected-response', (_request, response: IncomingMessage) => refuse(refusalOf(response)));
    webSocket.once('open', () => resolve(wire));
  });
}

/** What the server says of an upgrade that it refuses: its code and reason where it is a replica. */
function refusalOf({ statusCode = 0, headers }: IncomingMessage): CodedError {
  const seconds = Number(headers['retry-after']);
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
  const { 'causeway-code': code, 'causeway-reason': reason } = headers;
  const text = typeof reason === 'string' ? reason : '';
  if (typeof code === 'string' && isTunnelCode(code)) return tunnelErrorFromWire(code, text, retryAfterMs);
  const detail = `HTTP ${statusCode}${text === '' ? '' : `, ${text}`}`;
  return tunnelError('link-refused', { detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

/** Takes the upgrades of a link listener. */
export class WsAcceptor {
  readonly #server: WebSocketServer;

  constructor(limits: TunnelLimits = defaultLimits) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      handleProtocols: (offered) => (offered.has(LINK_PROTOCOL) ? LINK_PROTOCOL : false),
      ...bounds(limits),
    });
  }

  /** Answers an upgrade; `onWire` gets the open wire. An upgrade that is not a link's is answered by `ws` itself. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, onWire: (wire: Wire) => void): void {
    const { remoteAddress, remotePort } = request.socket;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      onWire(new WsWire(webSocket, `${remoteAddress ?? ''}:${remotePort ?? ''}`));
    });
  }
}
