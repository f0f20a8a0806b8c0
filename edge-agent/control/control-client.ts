import { decodeControlAnswer, maxControlBytes } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import { tunnelError, type KindStream, type KindStreamOpener } from '../../tunnel/index.ts';

/** A replica that has not answered by then is asked again later. */
const ANSWER_MS = 15_000;

/** Asks the replica at the other end of the active link, over streams of kind `control`. */
export class ControlClient {
  readonly #edge: string;
  readonly #opener: KindStreamOpener;
  readonly #clock: Clock;

  constructor({
    edge,
    opener,
    clock,
  }: {
    readonly edge: string;
    readonly opener: KindStreamOpener;
    readonly clock: Clock;
  }) {
    this.#edge = edge;
    this.#opener = opener;
    this.#clock = clock;
  }

  /** One exchange. Throws what the replica answers with, and the errors of streams. */
  async ask(path: string, body: object = {}): Promise<unknown> {
    const target = { edge: this.#edge, service: '', kind: 'control', verb: 'connect', path, principal: '' };
    const stream = this.#opener.open(target);
    const timer = this.#clock.after(ANSWER_MS, () =>
      stream.destroy(tunnelError('canceled', { detail: 'no answer in time' })),
    );
    try {
      stream.end(JSON.stringify(body));
      return decodeControlAnswer(await answerOf(stream));
    } finally {
      timer.cancel();
    }
  }
}

function answerOf(stream: KindStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxControlBytes) chunks.push(chunk);
      else stream.destroy(tunnelError('canceled', { detail: `an answer longer than ${maxControlBytes} bytes` }));
    });
    stream.on('error', reject);
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('close', () => reject(tunnelError('stream-lost')));
  });
}
