import { request } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { messageOf } from '../base/index.ts';
import { tunnelError } from './tunnel-error.ts';

export interface DialSocketOptions {
  readonly host: string;
  readonly port: number;
  /** TLS options; without them the connection is plain. */
  readonly tls?: ConnectionOptions;
  /** `http://[user:password@]host:port` of an HTTP proxy to go out through. */
  readonly proxy?: string;
  readonly timeoutMs: number;
  /** Looks at who answered, before anything is sent to him; what it throws refuses him. */
  readonly verify?: (peer: TLSSocket) => void;
}

/** Connects, through a proxy where one is set, and finishes the TLS handshake. Errors: `link-refused`. */
export async function dialSocket({ timeoutMs, ...options }: DialSocketOptions): Promise<Socket> {
  // Not AbortSignal.timeout: its timer would outlive the dial by all of its time.
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), timeoutMs);
  try {
    return await dialWithin(options, deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function dialWithin(
  { host, port, tls, proxy, verify }: Omit<DialSocketOptions, 'timeoutMs'>,
  deadline: AbortSignal,
): Promise<Socket> {
  const tcp = proxy === undefined ? await plain(host, port, deadline) : await throughProxy(proxy, host, port, deadline);
  tcp.setNoDelay(true);
  if (tls === undefined) return tcp;
  const secure = connectTls({ ...tls, socket: tcp, ...(/^[\d.]+$|:/u.test(host) ? {} : { servername: host }), host });
  await established(secure, 'secureConnect', `${host}:${port}`, deadline);
  try {
    verify?.(secure);
    return secure;
  } catch (error) {
    secure.on('error', () => {});
    secure.destroy();
    throw tunnelError('link-refused', { detail: `${host}:${port}: ${messageOf(error)}`, cause: error });
  }
}

function plain(host: string, port: number, deadline: AbortSignal): Promise<Socket> {
  return established(connectTcp({ host, port }), 'connect', `${host}:${port}`, deadline);
}

function throughProxy(proxy: string, host: string, port: number, deadline: AbortSignal): Promise<Socket> {
  const { hostname, port: proxyPort, username, password } = new URL(proxy);
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return new Promise((resolve, reject) => {
    const refuse = (detail: string, cause?: unknown): void => {
      reject(tunnelError('link-refused', { detail: `proxy ${hostname}:${proxyPort}: ${detail}`, cause }));
    };
    const connecting = request({
      host: hostname,
      port: proxyPort === '' ? 80 : Number(proxyPort),
      method: 'CONNECT',
      path: `${host}:${port}`,
      headers: {
        host: `${host}:${port}`,
        ...(username === '' ? {} : { 'proxy-authorization': `Basic ${credentials}` }),
      },
      agent: false,
      signal: deadline,
    });
    connecting.once('connect', (response, socket, head) => {
      if (response.statusCode === 200 && head.length === 0) {
        resolve(socket);
      } else {
        socket.destroy();
        refuse(`HTTP ${response.statusCode ?? 0}`);
      }
    });
    connecting.once('response', (response) => {
      response.resume();
      refuse(`HTTP ${response.statusCode ?? 0}`);
    });
    connecting.once('error', (error) => refuse(messageOf(error), error));
    connecting.end();
  });
}

function established<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  peer: string,
  deadline: AbortSignal,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off('error', onError);
      socket.off('close', onClose);
      deadline.removeEventListener('abort', onDeadline);
    };
    const refuse = (detail: string, cause?: unknown): void => {
      settle();
      socket.on('error', () => {});
      socket.destroy();
      reject(tunnelError('link-refused', { detail: `${peer}: ${detail}`, cause }));
    };
    const onError = (error: Error): void => refuse(messageOf(error), error);
    const onClose = (): void => refuse('closed during the handshake');
    const onDeadline = (): void => refuse('no answer in time');
    socket.once('error', onError);
    socket.once('close', onClose);
    deadline.addEventListener('abort', onDeadline);
    socket.once(event, () => {
      settle();
      resolve(socket);
    });
  });
}
