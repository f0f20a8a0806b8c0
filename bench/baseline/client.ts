import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { serveAsChild, startChild, type Child } from './child.ts';
import { clientOptions, type PemCredentials } from './credentials.ts';
import { type Dial, loadDownload, loadRequests, loadUpload, type RequestLoad } from './load.ts';

export type ClientJob =
  | { readonly kind: 'requests'; readonly load: RequestLoad }
  | {
      readonly kind: 'download';
      readonly bytes: number;
      readonly sockets: number;
      /** Before the path. */ readonly prefix?: string;
    }
  | { readonly kind: 'upload'; readonly bytes: number };

interface ClientOptions {
  readonly port: number;
  /** With mTLS by these, else without TLS. */
  readonly credentials?: PemCredentials;
  readonly job: ClientJob;
}

/** Runs one job in a process of its own; returns requests a second, or megabytes a second, with what else there is to know. */
export async function runClient(options: ClientOptions): Promise<ClientResult> {
  const child: Child<ClientResult> = await startChild(import.meta.filename, options);
  await child.stop();
  return child.ready;
}

export type ClientResult = Readonly<Record<string, number>>;

/** Dials a port of loopback, with TLS when there are credentials. */
export function dialPort(port: number, credentials?: PemCredentials): Dial {
  const tls = credentials === undefined ? undefined : clientOptions(credentials);
  return async () => {
    const to = { host: '127.0.0.1', port };
    const socket: Socket = tls === undefined ? connectTcp(to) : connectTls({ ...tls, ...to });
    socket.setNoDelay(true);
    await once(socket, tls === undefined ? 'connect' : 'secureConnect');
    return socket;
  };
}

async function run({ port, credentials, job }: ClientOptions): Promise<ClientResult> {
  const dial = dialPort(port, credentials);
  switch (job.kind) {
    case 'requests':
      return { ...(await loadRequests(dial, job.load)) };
    case 'download':
      return { ...(await loadDownload(dial, job.bytes, job.sockets, job.prefix)) };
    case 'upload':
      return { ...(await loadUpload(dial, job.bytes)) };
  }
}

if (import.meta.main) serveAsChild(run);
