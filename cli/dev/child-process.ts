import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../base/index.ts';
import { cliError } from '../cli-error.ts';

export interface ChildOptions {
  readonly name: string;
  /** The command line behind `causeway`, or behind `program`; asked anew for each start. */
  readonly args: () => readonly string[];
  /** Another program. It does not tell when it has started: `untilStarted` finds out. */
  readonly program?: { readonly file: string; readonly untilStarted: (isAlive: () => boolean) => Promise<unknown> };
  /** The file that takes its output, appended. */
  readonly log: string;
  readonly restart: 'always' | 'never';
  /** Told at once when the process is there, and when it is gone. */
  readonly onChange: () => void;
  /** Told what a person may want to know. */
  readonly onNote: (text: string) => void;
}

const RESTART_MS = 5000;
/** A process that has not ended this long after SIGTERM gets it again, which ends it at once; then the kernel does. */
const STOP_STEP_MS = 3000;

/** One process of the fleet: started, watched, started again when it was killed, and ended. */
export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Undefined while there is no process. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves with what it says when it has started. Throws `process-failed` when it ends before that. */
  start(): Promise<unknown> {
    const { name, args, program, log, onChange } = this.#options;
    if (this.#stopping) return Promise.reject(cliError('process-failed', `${name}: it is being stopped`));
    mkdirSync(dirname(log), { recursive: true });
    const output = openSync(log, 'a');
    // A process group of its own: Ctrl-C reaches the parent only, which ends all in order. The channel tells it
    // when the parent is gone, however that came about.
    const child =
      program === undefined
        ? spawn(process.execPath, [...process.execArgv, entryPoint(), ...args()], {
            stdio: ['ignore', output, output, 'ipc'],
            detached: true,
          })
        : spawn(program.file, [...args()], { stdio: ['ignore', output, output], detached: true });
    closeSync(output);
    this.#process = child;
    onChange();
    return new Promise((resolve, reject) => {
      child.on('error', (error) => reject(cliError('process-failed', name, error)));
      if (program === undefined) child.once('message', resolve);
      else program.untilStarted(() => child.exitCode === null && child.signalCode === null).then(resolve, reject);
      child.once('exit', (code, signal) => {
        const how = signal ?? `code ${code}`;
        reject(cliError('process-failed', `${name} (${how}), ${log}:\n${lastLines(log)}`));
        this.#ended(how);
      });
    });
  }

  /** Ends it and everything that it has started. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const again = setTimeout(() => child.kill('SIGTERM'), STOP_STEP_MS);
    const force = setTimeout(() => killGroup(child), 2 * STOP_STEP_MS);
    await ended;
    clearTimeout(again);
    clearTimeout(force);
  }

  #ended(how: string): void {
    const { name, restart, onChange, onNote } = this.#options;
    const group = this.#process;
    this.#process = undefined;
    onChange();
    // What it had started itself goes with it.
    if (group !== undefined) killGroup(group);
    if (this.#stopping) return;
    onNote(`${name} ended (${how})${restart === 'always' ? `, starts again in ${RESTART_MS / 1000} s` : ''}`);
    if (restart === 'never') return;
    this.#restart = setTimeout(() => {
      this.start().then(
        () => onNote(`${name} runs again, pid ${this.pid}`),
        (error: unknown) => onNote(`${name} did not start: ${messageOf(error)}`),
      );
    }, RESTART_MS);
  }
}

/** A process group is there as long as one process of it is, also when its leader is gone. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left of it.
  }
}

/** The command itself, as it runs now: from the sources, or compiled. */
function entryPoint(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../causeway.ts' : '../causeway.js', import.meta.url));
}

function lastLines(log: string): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
}
