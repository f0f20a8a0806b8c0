import type { Server } from 'node:https';
import { isIPv4, isIPv6, type Socket } from 'node:net';
import { messageOf, type Log } from '../base/index.ts';
import { gatewayError } from './gateway-error.ts';
import { tellAddress, toldAddress, type PeerAddress } from './peer-address.ts';
import { StrangerLog } from './stranger-log.ts';

/** What a PROXY protocol header says. */
export interface ProxyHeader {
  /** Its bytes; TLS begins behind them. */
  readonly length: number;
  /** Where the connection comes from; undefined for one that the load balancer made itself, or of which it says nothing. */
  readonly source: PeerAddress | undefined;
}

/** https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, 2.1: the longest line, with its end. */
const MAX_V1_BYTES = 107;
const V1_BEGIN = Buffer.from('PROXY ', 'latin1');
/** 2.2. */
const V2_BEGIN = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = 16;
/** Addresses, and what load balancers add: ids of their endpoints, checksums. */
const MAX_V2_BYTES = V2_FIXED_BYTES + 1024;
const V2_ADDRESSES = new Map([
  [0x11, { bytes: 12, addressBytes: 4, write: ipv4 }],
  [0x21, { bytes: 36, addressBytes: 16, write: ipv6 }],
]);

/**
 * Reads a header of version 1 or 2 of the PROXY protocol from the beginning of a connection. Undefined while it is not
 * whole yet; it is at most 1,040 bytes long. Throws `proxy-header` as soon as the bytes are no header.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (beginsLike(bytes, V1_BEGIN)) return parseVersion1(bytes);
  if (beginsLike(bytes, V2_BEGIN)) return parseVersion2(bytes);
  throw gatewayError('proxy-header', { detail: 'it begins otherwise' });
}

/**
 * From now on every connection to the server has to begin with a header, before TLS, and comes from where that says: in
 * `remoteOf`, and in the `remoteAddress` of its TLS socket. A connection that begins otherwise is cut. There is no
 * deadline here: `Newcomers` has it.
 */
export function requireProxyHeaders(server: Server, log: Log): void {
  const strangers = new StrangerLog(log);
  const beginTls = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (connection: Socket) => {
    takeHeader(connection, {
      done: () => {
        for (const begin of beginTls) Reflect.apply(begin, server, [connection]);
      },
      refused: (error) => {
        strangers.tell('proxy-header-refused', { remote: connection.remoteAddress, reason: messageOf(error) });
        connection.destroy();
      },
    });
  });
  server.prependListener('secureConnection', (socket) => {
    const told = toldAddress(socket);
    if (told === undefined) return;
    Object.defineProperties(socket, { remoteAddress: { value: told.address }, remotePort: { value: told.port } });
  });
}

function takeHeader(connection: Socket, on: { done: () => void; refused: (error: unknown) => void }): void {
  let bytes = Buffer.alloc(0);
  const ignore = (): void => undefined;
  const take = (): void => {
    const chunk: unknown = connection.read();
    if (!Buffer.isBuffer(chunk)) return;
    bytes = Buffer.concat([bytes, chunk]);
    try {
      const header = parseProxyHeader(bytes);
      if (header === undefined) return;
      connection.off('readable', take).off('error', ignore);
      if (header.source !== undefined) tellAddress(connection, header.source);
      // TLS takes what was read before it, and then the handle itself.
      if (bytes.length > header.length) connection.unshift(bytes.subarray(header.length));
      on.done();
    } catch (error) {
      connection.off('readable', take);
      on.refused(error);
    }
  };
  connection.on('error', ignore).on('readable', take);
}

/** `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n` */
function parseVersion1(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf('\r\n');
  if (end === -1) {
    if (bytes.length >= MAX_V1_BYTES) throw gatewayError('proxy-header', { detail: 'its line does not end' });
    return undefined;
  }
  const length = end + 2;
  const [, protocol, source = '', target = '', sourcePort = '', targetPort = '', ...more] = bytes
    .toString('latin1', 0, end)
    .split(' ');
  if (protocol === 'UNKNOWN') return { length, source: undefined };
  const isAddress = protocol === 'TCP4' ? isIPv4 : protocol === 'TCP6' ? isIPv6 : () => false;
  const isWhole = isAddress(source) && isAddress(target) && isPort(sourcePort) && isPort(targetPort);
  if (!isWhole || more.length > 0) throw gatewayError('proxy-header', { detail: 'its line is not one of version 1' });
  return { length, source: { address: source, port: Number(sourcePort) } };
}

/** Signature, version and command, family and protocol, length, addresses and ports, further fields. */
function parseVersion2(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < V2_FIXED_BYTES) return undefined;
  const command = bytes.readUInt8(12);
  if (command !== 0x20 && command !== 0x21) throw gatewayError('proxy-header', { detail: 'no command of version 2' });
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (length > MAX_V2_BYTES) throw gatewayError('proxy-header', { detail: `longer than ${MAX_V2_BYTES} bytes` });
  if (bytes.length < length) return undefined;
  // LOCAL: a health check, say.
  const family = command === 0x20 ? 0 : bytes.readUInt8(13);
  if (family === 0) return { length, source: undefined };
  const layout = V2_ADDRESSES.get(family);
  if (layout === undefined) throw gatewayError('proxy-header', { detail: 'neither TCP over IPv4 nor over IPv6' });
  if (length < V2_FIXED_BYTES + layout.bytes) throw gatewayError('proxy-header', { detail: 'too short for addresses' });
  const address = layout.write(bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + layout.addressBytes));
  return { length, source: { address, port: bytes.readUInt16BE(V2_FIXED_BYTES + 2 * layout.addressBytes) } };
}

/** As far as there are bytes of both. */
function beginsLike(bytes: Buffer, begin: Buffer): boolean {
  const length = Math.min(bytes.length, begin.length);
  return bytes.subarray(0, length).equals(begin.subarray(0, length));
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/u.test(text) && Number(text) <= 0xffff;
}

function ipv4(bytes: Buffer): string {
  return [...bytes].join('.');
}

/** As the URL standard writes it: shortest, lower case. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
