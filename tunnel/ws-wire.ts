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

/** A WebSocket header of a message between 126 and 65,535 bytes; a client's has a mask. */
const CLIENT_HEADER_BYTES = 8;
const SERVER_HEADER_BYTES = 4;
const FINAL_BINARY = 0x82;
const MASKED = 0x80;
/** More than this in the socket's queue gains nothing, and hides from the scheduler. */
const FULL_BYTES = 128 * 1024;

/** A wire over an open WebSocket: the one file that knows `ws`. */
class WsWire implements Wire {
  readonly remote: string;
  user: WireUser = nobody;
  readonly headerBytes: number;
  readonly peerHeaderBytes: number;
  readonly #socket: WebSocket;
  readonly #connection: Duplex;

  readonly #masks: boolean;

  constructor(socket: WebSocket, connection: Duplex, remote: string, headerBytes: number, masks: boolean) {
    this.#masks = masks;
    this.#socket = socket;
    this.#connection = connection;
    this.remote = remote;
    this.headerBytes = headerBytes;
    this.peerHeaderBytes = headerBytes === CLIENT_HEADER_BYTES ? SERVER_HEADER_BYTES : CLIENT_HEADER_BYTES;
    connection.on('drain', () => this.user.onDrain());
    socket.binaryType = 'nodebuffer';
    let reason = '';
    socket.on('message', (data: RawData, isBinary) => {
      if (!isBinary) this.user.onText();
      else if (Buffer.isBuffer(data)) this.user.onMessage(data);
    });
    socket.on('error', (error) => {
      reason = messageOf(error);
    });
    socket.once('close', (code, text) =>
      this.user.onClose(reason || text.toString('utf8') || `WebSocket code ${code}`),
    );
  }

  get full(): boolean {
    return this.#connection.writableLength >= FULL_BYTES && this.#connection.writableNeedDrain;
  }

  send(message: Buffer, rest?: Buffer): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#masks) {
      const content = message.subarray(this.headerBytes);
      this.#socket.send(rest === undefined ? content : Buffer.concat([content, rest]));
      return;
    }
    // `ws` would write its header apart, and take a message in one piece only. Unmasked, or masked with zeros, a frame is its
    // header and the bytes as they are, which need no copy: the socket's queue is the same that `ws` itself writes to.
    const framed = withHeader(message, this.headerBytes, message.length - this.headerBytes + (rest?.length ?? 0));
    const connection = this.#connection;
    if (rest === undefined) {
      connection.write(framed);
    } else {
      connection.cork();
      connection.write(framed);
      connection.write(rest);
      connection.uncork();
    }
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

/** Fills the room before a binary message with its header (RFC 6455, 5.2); the mask, where there is one, is zero. */
function withHeader(message: Buffer, room: number, bytes: number): Buffer {
  const masked = room === CLIENT_HEADER_BYTES;
  const mask = masked ? MASKED : 0;
  if (bytes < 126) {
    const start = room - (masked ? 6 : 2);
    message.writeUInt16BE(FINAL_BINARY * 0x100 + mask + bytes, start);
    if (masked) message.writeUInt32BE(0, start + 2);
    return message.subarray(start);
  }
  if (bytes > 0xffff) return Buffer.concat([longHeader(bytes, mask), message.subarray(room)]);
  message.writeUInt16BE(FINAL_BINARY * 0x100 + mask + 126, 0);
  message.writeUInt16BE(bytes, 2);
  if (masked) message.writeUInt32BE(0, 4);
  return message;
}

/** Only a head of several fragments makes a message this long. */
function longHeader(bytes: number, mask: number): Buffer {
  const header = Buffer.alloc(mask === 0 ? 10 : 14);
  header.writeUInt16BE(FINAL_BINARY * 0x100 + mask + 127, 0);
  header.writeUInt32BE(bytes, 6);
  return header;
}

/** What both ends set: nothing is compressed, and all that a peer could make this side keep is bounded. */
function bounds(
  limits: TunnelLimits,
): Pick<ServerOptions & ClientOptions, 'maxPayload' | 'perMessageDeflate' | 'skipUTF8Validation'> {
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
    const wire = new WsWire(
      webSocket,
      socket,
      `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`,
      CLIENT_HEADER_BYTES,
      !zeroMask,
    );
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
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(LINK_PROTOCOL)) {
      socket.end('HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const { remoteAddress, remotePort } = request.socket;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      onWire(new WsWire(webSocket, socket, `${remoteAddress ?? ''}:${remotePort ?? ''}`, SERVER_HEADER_BYTES, false));
    });
  }
}
