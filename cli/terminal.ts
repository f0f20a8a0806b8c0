import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Who reads the output may stop reading, `| head` for instance: that ends the command, and is no failure worth a word. */
export function quietOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'EIO') process.exit(0);
      throw error;
    });
  }
}

/** Resolves when everything written so far has left: a pipe takes 64 KiB at a time, and an exit would cut off the rest. */
export async function flushOutput(): Promise<void> {
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))),
  );
}

export function print(text: string): void {
  process.stdout.write(text);
}

/** Writes and waits while the reader is slower than the writer. */
export async function writeAll(output: Writable, chunk: Uint8Array): Promise<void> {
  if (!output.write(chunk)) await once(output, 'drain');
}

/** One line on stderr that says what is happening: redrawn on a terminal, elsewhere a line for each change of what matters. */
export class StatusLine {
  readonly #output: NodeJS.WriteStream;
  #shown = '';
  #state = '';
  #drawn = false;

  constructor(output: NodeJS.WriteStream = process.stderr) {
    this.#output = output;
  }

  /** `state` is what matters of the text: while it stays, only a terminal sees the change. */
  show(text: string, state: string): void {
    if (text === this.#shown || (!this.#output.isTTY && state === this.#state)) return;
    this.#shown = text;
    this.#state = state;
    if (this.#output.isTTY) {
      this.#output.write(`\r\u001B[K${text.slice(0, Math.max(20, this.#output.columns - 1))}`);
      this.#drawn = true;
    } else {
      this.#output.write(`${text}\n`);
    }
  }

  /** Leaves the line as it is and begins a new one. */
  end(): void {
    if (this.#drawn) this.#output.write('\n');
    this.#drawn = false;
  }
}
