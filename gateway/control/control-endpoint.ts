import {
  decodeControlBody,
  encodeControlAnswer,
  maxControlBytes,
  parseRenewRequest,
  renewPath,
  trustPath,
} from '../../api/index.ts';
import type { Clock, Log } from '../../base/index.ts';
import { tunnelError, type KindStream } from '../../tunnel/index.ts';
import { codedFailure } from '../front/index.ts';
import type { Renewal } from '../trust/index.ts';
import { identityOf, type TrustBundle } from '../../certs/index.ts';

export interface ControlEndpointOptions {
  readonly renewal: Pick<Renewal, 'overLink'>;
  readonly trust: () => TrustBundle;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who has not asked by then is not waited for. */
const REQUEST_MS = 10_000;
/** An agent asks one thing at a time. */
const MAX_AT_ONCE = 4;

/**
 * Answers the streams of kind `control`, which agents open to their replica: one JSON request, up to FIN, and one JSON answer. The
 * path is the target's; who asks is the principal, as the switch has written it: `edge/<id>`.
 */
export class ControlEndpoint {
  readonly #options: ControlEndpointOptions;
  readonly #asking = new Map<string, number>();

  constructor(options: ControlEndpointOptions) {
    this.#options = options;
  }

  /** Takes a stream that came to the replica's own endpoint. */
  take(stream: KindStream): void {
    const { log, clock } = this.#options;
    const { kind, principal } = stream.target;
    stream.on('error', (error) => log.debug('control-failed', { principal, error }));
    const asking = this.#asking.get(principal) ?? 0;
    if (kind !== 'control' || !principal.startsWith('edge/')) return stream.refuse(tunnelError('kind-unknown'));
    if (asking >= MAX_AT_ONCE) return stream.refuse(tunnelError('overloaded', { retryAfterMs: 1000 }));
    this.#asking.set(principal, asking + 1);
    const timer = clock.after(REQUEST_MS, () =>
      stream.destroy(tunnelError('canceled', { detail: 'no request in time' })),
    );
    stream.once('close', () => {
      timer.cancel();
      const left = (this.#asking.get(principal) ?? 1) - 1;
      if (left === 0) this.#asking.delete(principal);
      else this.#asking.set(principal, left);
    });
    void this.#answer(stream).catch((error: unknown) => stream.destroy(codedFailure(error)));
  }

  async #answer(stream: KindStream): Promise<void> {
    stream.accept();
    const body = await bodyOf(stream);
    const answer = await this.#run(stream.target.principal.slice('edge/'.length), stream.target.path, body).catch(
      (error: unknown) => {
        const failure = codedFailure(error);
        if (failure.status >= 500) this.#options.log.warn('control-refused', { ...stream.target, error });
        return failure;
      },
    );
    stream.end(encodeControlAnswer(answer));
  }

  async #run(edge: string, path: string, body: Buffer): Promise<object> {
    const { renewal, trust } = this.#options;
    const { trustDomain, text } = trust();
    const identity = identityOf(trustDomain, `edge/${edge}`);
    if (identity.kind !== 'edge') throw tunnelError('denied');
    if (path === renewPath) return await renewal.overLink(identity, parseRenewRequest(decodeControlBody(body)));
    if (path === trustPath) return { trust: text };
    throw tunnelError('service-unknown', { detail: path.slice(0, 100) });
  }
}

async function bodyOf(stream: KindStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxControlBytes)
      throw tunnelError('head-too-long', { detail: `longer than ${maxControlBytes} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
