import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Direction, WeakLinkOptions } from '../support/weak-link.ts';

const PROGRAM = fileURLToPath(new URL('../support/weak-link-process.ts', import.meta.url));

type Command =
  | { readonly command: 'cutAll' | 'blackHole' | 'restore' | 'refuse' | 'admit' }
  | { readonly command: 'halfOpen'; readonly direction: Direction };

/** `weak-link-process.ts`, from its parent's side. */
export class WeakLinkChild {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  static async start(options: WeakLinkOptions): Promise<WeakLinkChild> {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const args = ['--disable-warning=ExperimentalWarning', PROGRAM, JSON.stringify(options)];
    const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = (await answers.next()) as IteratorYieldResult<string>;
    const { port } = JSON.parse(first.value) as { readonly port: number };
    return new WeakLinkChild(child, answers, port);
  }

  private constructor(child: ChildProcess, answers: AsyncIterator<string>, port: number) {
    this.#child = child;
    this.#answers = answers;
    this.port = port;
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  async tell(command: Command): Promise<void> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    await this.#answers.next();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
