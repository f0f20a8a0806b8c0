import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { startCauseway } from '../cli/causeway.ts';
import { noProxies } from './fleet-access.ts';

/** A role of the product, run by its command. It ends with the test's process: the channel between them closes then. */
export class RoleProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  /** What it said when it had started. */
  readonly started: unknown;

  /** Resolves when it says that it has started. Throws what it printed if it ends instead. */
  static async start(args: readonly string[], logFile: string): Promise<RoleProcess> {
    const log = openSync(logFile, 'a');
    const child = startCauseway(args, { env: noProxies }, ['ignore', log, log, 'ipc']);
    closeSync(log);
    const exited = once(child, 'exit');
    const [first] = (await Promise.race([once(child, 'message'), exited])) as [unknown];
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${args.join(' ')} ended at once: ${readFileSync(logFile, 'utf8')}`);
    return new RoleProcess(child, exited, first);
  }

  private constructor(child: ChildProcess, exited: Promise<unknown>, started: unknown) {
    this.#child = child;
    this.#exited = exited;
    this.started = started;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** SIGSTOP and SIGCONT for a process that hangs, SIGKILL for one that dies. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#exited;
  }

  /** In good order; by force after 10 s. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const force = setTimeout(() => this.signal('SIGKILL'), 10_000);
    await this.#exited;
    clearTimeout(force);
  }
}
