import type { Clock } from '../../base/index.ts';
import { CodedError } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';
import type { AnswerHeaders, Transport, TransportAnswer, TransportRequest } from './transport.ts';

/** An answer whose head is there; its body streams. */
export interface Exchange {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /**
   * Read once. Throws `answer-missing` when the answer is cut off or nothing comes for too long, and the signal's
   * reason.
   */
  readonly body: AsyncGenerator<Uint8Array, void, undefined>;
  /** Ends it at once. May be called twice. */
  close(): void;
}

export interface ExchangeOptions {
  readonly clock: Clock;
  /** Without a byte for so long the exchange fails. */
  readonly silenceMs: number;
  /** Ends the exchange; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes one request. Whatever the transport does, this settles when the signal says so or when silence has lasted: a
 * transport that takes no notice of its signal leaks itself, not its caller.
 */
export async function exchange(
  transport: Transport,
  request: Omit<TransportRequest, 'signal'>,
  { clock, silenceMs, signal }: ExchangeOptions,
): Promise<Exchange> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  ended.catch(() => undefined);
  const fail = (error: unknown): void => {
    release();
    reject(error);
    controller.abort(error);
  };
  const onAbort = (): void => fail(signal?.reason);
  const release = (): void => {
    timer.cancel();
    signal?.removeEventListener('abort', onAbort);
  };
  const onSilence = (): void => fail(resourceError('answer-missing', { detail: `nothing came for ${silenceMs} ms` }));
  let timer = clock.after(silenceMs, onSilence);
  signal?.addEventListener('abort', onAbort, { once: true });

  let answer: TransportAnswer;
  try {
    const answering = transport({ ...request, signal: controller.signal });
    // Who comes too late is sent away.
    answering.then(
      (late) => controller.signal.aborted && giveBack(late.body[Symbol.asyncIterator]()),
      () => undefined,
    );
    answer = await Promise.race([answering, ended]);
  } catch (error) {
    release();
    throw border(error, controller.signal);
  }

  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = answer.body[Symbol.asyncIterator]();
    let isDone = false;
    try {
      for (;;) {
        timer.cancel();
        timer = clock.after(silenceMs, onSilence);
        const next = await Promise.race([chunks.next(), ended]);
        timer.cancel();
        if (next.done === true) {
          isDone = true;
          return;
        }
        yield next.value;
      }
    } catch (error) {
      isDone = true;
      throw border(error, controller.signal);
    } finally {
      release();
      if (!isDone || controller.signal.aborted) giveBack(chunks);
      if (!isDone) controller.abort();
    }
  }

  return {
    status: answer.status,
    headers: answer.headers,
    body: body(),
    close: () => fail(new CodedError('canceled', 'the exchange was closed', { status: 499 })),
  };
}

/** Reads a body to its end. Throws `answer-too-large`. */
export async function readAll(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw resourceError('answer-too-large', { detail: `more than ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Errors of ours, and the caller's own reason, go on as they are; a foreign one is wrapped. */
function border(error: unknown, { aborted, reason }: AbortSignal): unknown {
  if (aborted) return reason;
  if (error instanceof CodedError) return error;
  return resourceError('answer-missing', { cause: error });
}

function giveBack(iterator: AsyncIterator<Uint8Array>): void {
  // It may hang in a `next` that never settles, and is not waited for.
  iterator.return?.().then(
    () => undefined,
    () => undefined,
  );
}
