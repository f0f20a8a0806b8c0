import { request as httpRequest, type IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import {
  decodeControlAnswer,
  maxControlBytes,
  parseRenewed,
  renewPath,
  trustPath,
  type Renewed,
} from '../../api/index.ts';
import {
  clientTls,
  clocklessTls,
  makeCertificateRequest,
  parseChain,
  signRenewal,
  type KeyStore,
} from '../../certs/index.ts';
import { dialTarget, tunnelError } from '../../tunnel/index.ts';
import type { FleetTime } from './fleet-time.ts';

export interface PublicListenerOptions {
  readonly keys: KeyStore;
  readonly time: FleetTime;
  /** The HTTP proxy for a target. */
  readonly proxy: (target: string) => string | undefined;
}

/** After this an exchange is given up. */
const EXCHANGE_MS = 15_000;

/** What an edge whose certificate opens no link any more asks of a replica's public listener, `host:port`. */
export class PublicListenerClient {
  readonly #options: PublicListenerOptions;

  constructor(options: PublicListenerOptions) {
    this.#options = options;
  }

  /**
   * Renews with a certificate that has expired. Nothing is sent before the replica has proved to be one: by the roots, whatever
   * this machine's clock says. `keyPem`: the key that the new certificate is for; default a new one.
   */
  async renew(target: string, keyPem?: string): Promise<{ readonly renewed: Renewed; readonly keyPem: string }> {
    const { keys } = this.#options;
    const { chainPem, keyPem: oldKeyPem, leaf } = keys;
    const socket = await this.#dialVerified(target);
    try {
      const request = await makeCertificateRequest(keyPem);
      const { leaf: first, issuer } = parseChain(chainPem);
      const signature = signRenewal({ socket, leaf, csrPem: request.csrPem }, oldKeyPem);
      const body = { chain: `${first.toString()}${issuer.toString()}`, csr: request.csrPem, signature };
      const answer = await askPublicListener(socket, target, 'POST', renewPath, JSON.stringify(body));
      return { renewed: parseRenewed(decodeControlAnswer(answer)), keyPem: request.keyPem };
    } finally {
      socket.destroy();
    }
  }

  /**
   * The fleet's trust bundle, from whoever answers: an edge that was away while the root was rolled knows no root of any replica any
   * more. It is worth what its signatures are worth: see `LiveKeyStore.acceptTrust`. Nothing of the edge's own is sent.
   */
  async trust(target: string): Promise<string> {
    const socket = await this.#dial(target, {
      ...clientTls({ trust: this.#options.keys.trust }),
      rejectUnauthorized: false,
    });
    try {
      return (await askPublicListener(socket, target, 'GET', trustPath)).toString('utf8');
    } finally {
      socket.destroy();
    }
  }

  async #dialVerified(target: string): Promise<TLSSocket> {
    const { keys, time } = this.#options;
    // It shows no certificate: this listener asks for none, and the old one has expired.
    const { trust, leaf } = keys;
    if (!time.isBehind(leaf)) return await this.#dial(target, clientTls({ trust }));
    const { tls, verify } = clocklessTls({ trust }, hostOf(target), time.now);
    return await this.#dial(target, tls, verify);
  }

  async #dial(
    target: string,
    tls: Parameters<typeof dialTarget>[1],
    verify?: (socket: TLSSocket) => void,
  ): Promise<TLSSocket> {
    const socket = await dialTarget(target, tls, this.#options.proxy(target), verify);
    if (!(socket instanceof TLSSocket)) throw tunnelError('link-refused', { detail: target });
    return socket;
  }
}

/** The host of a target, without the brackets of an IPv6 address. */
export function hostOf(target: string): string {
  return target.slice(0, target.lastIndexOf(':')).replaceAll(/^\[|\]$/gu, '');
}

/** One exchange on a connection that is for nothing else. Throws `link-refused`. */
export function askPublicListener(
  socket: TLSSocket,
  host: string,
  method: string,
  path: string,
  body = '',
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = {
      host,
      connection: 'close',
      ...(body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    };
    const fail = (detail: string, cause?: unknown): void =>
      reject(tunnelError('link-refused', { detail: `${host}: ${detail}`, cause }));
    const request = httpRequest({ createConnection: () => socket, method, path, headers });
    // The connection is nobody else's: what takes too long ends with it.
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), EXCHANGE_MS);
    request.once('error', (error) => fail(error.message, error));
    request.once('close', () => {
      clearTimeout(timer);
      fail('closed without an answer');
    });
    request.once('response', (response) => {
      bodyOf(response).then(resolve, (error: unknown) => fail('the answer broke off', error));
    });
    request.end(body);
  });
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxControlBytes) throw new Error(`longer than ${maxControlBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
