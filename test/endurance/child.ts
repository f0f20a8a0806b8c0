import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { runtimeFlags } from '../../base/index.ts';
import type { Answer, Ask, Commands } from './role.ts';

const LOG_BYTES = 64 * 1024;

/** A part of a scenario in a process of its own, so that its memory and its death are its own. `C` is what it obeys. */
export class Child<C extends Commands = Commands> {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #started = Promise.withResolvers<unknown>();
  readonly #exited: Promise<unknown>;
  #asks = 0;
  #stopping = false;
  /** The end of what it printed. */
  log = '';
  /** Why it ended, where nobody asked it to. */
  crash: string | undefined;

  /** Starts a file that calls `serveRole`; answers with what it said when it had started. */
  static async start<C extends Commands, S>(name: string, file: URL, options: object): Promise<[Child<C>, S]> {
    const child = new Child<C>(name, file, options);
    return [child, (await child.#started.promise) as S];
  }

  private constructor(name: string, file: URL, options: object) {
    this.name = name;
    // The test runner's own loaders are not part of what is measured.
    const { NODE_OPTIONS: _, ...env } = process.env;
    const execArgv = ['--expose-gc', '--disable-warning=ExperimentalWarning', ...runtimeFlags];
    this.#child = fork(file, [JSON.stringify(options)], { execArgv, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.#child.on('message', (answer: Answer) => this.#onAnswer(answer));
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.setEncoding('utf8').on('data', (text: string) => {
        this.log = (this.log + text).slice(-LOG_BYTES);
      });
    }
    this.#exited = once(this.#child, 'exit').then(([code, signal]) => this.#onExit(`exit ${code ?? signal}`));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async ask<K extends keyof C & string>(command: K, ...input: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>> {
    const ask = ++this.#asks;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(ask, waiting);
    const message: Ask = { ask, command, input: input[0] };
    this.#child.send(message);
    return (await waiting.promise) as Awaited<ReturnType<C[K]>>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** By force: a scenario has nothing to save. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.signal('SIGKILL');
    await this.#exited;
  }

  #onAnswer(answer: Answer): void {
    if ('started' in answer) {
      this.#started.resolve(answer.started);
      return;
    }
    const waiting = this.#waiting.get(answer.ask);
    this.#waiting.delete(answer.ask);
    if ('failed' in answer) waiting?.reject(new Error(`${this.name}: ${answer.failed}`));
    else waiting?.resolve(answer.value);
  }

  #onExit(how: string): void {
    if (!this.#stopping) this.crash = `${this.name}: ${how}\n${this.log}`;
    const error = new Error(this.crash ?? `${this.name} was stopped`);
    this.#started.reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
