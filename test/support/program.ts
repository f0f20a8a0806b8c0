import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, closeSync, constants, globSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { waitFor } from './wait-for.ts';

export interface ProgramOptions {
  /** The Debian package it comes from. */
  readonly package: string;
  /** On the PATH or in sbin; or a pattern of absolute paths, of which the newest is taken. */
  readonly command: string;
  /** A loopback port that it will listen on; it is ready when a connection succeeds. */
  readonly port: number;
  /** Its own folder, removed when it stops. */
  readonly folder: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Runs as this user; the caller must be root for that. */
  readonly user?: string;
  /** What ends it in good order. Default SIGTERM. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT' | 'SIGQUIT';
}

/** A real program, started for one test. It cannot outlive the test's process: the kernel ends it too. */
export class Program {
  readonly port: number;
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #options: ProgramOptions;
  readonly #exited: Promise<unknown>;

  /** Resolves when it takes connections. Throws what it said if it ends instead. */
  static async start(options: ProgramOptions): Promise<Program> {
    let program: Program | undefined;
    try {
      const started = (program = new Program(options));
      await waitFor(`${options.command} to listen`, () => started.#isEnded || answers(options.port), {
        deadlineMs: 30_000,
        everyMs: 20,
      });
      if (started.#isEnded) throw new Error(`${options.command} ended at once`);
      return started;
    } catch (error) {
      const said = program?.log() ?? 'it could not be run';
      await program?.stop();
      rmSync(options.folder, { recursive: true, force: true });
      throw new Error(`${options.command} did not start: ${said}: ${(error as Error).message}`, { cause: error });
    }
  }

  private constructor(options: ProgramOptions) {
    this.#options = options;
    this.port = options.port;
    this.folder = options.folder;
    const { command, args, env, user, stopSignal = 'SIGTERM' } = options;
    const identity = user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, '--init-groups'];
    const log = openSync(this.#logPath, 'a');
    // The signal at the parent's death has to be set after the change of user, which clears it; setpriv does.
    this.#child = spawn(
      'setpriv',
      ['--pdeathsig', stopSignal.slice(3), ...identity, '--', findCommand(command, options.package), ...args],
      { cwd: this.folder, env: { ...process.env, ...env }, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    this.#exited = once(this.#child, 'exit');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it has printed. */
  log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  /** Ends it in good order, by force after 10 s, and removes its folder. */
  async stop(): Promise<void> {
    if (!this.#isEnded) {
      this.#child.kill(this.#options.stopSignal ?? 'SIGTERM');
      const force = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
      await this.#exited;
      clearTimeout(force);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #isEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get #logPath(): string {
    return join(this.folder, 'output.log');
  }
}

/**
 * For `test(name, { skip: missing('nginx') }, ...)`: false when the program is there, else the reason why the test is
 * left out. Under CI nothing is left out: the test runs, and fails by saying what to install.
 */
export function missing(command: string, packageName = command): string | false {
  if (process.env['CI'] === 'true') return false;
  try {
    findCommand(command, packageName);
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The path of a command; throws how to get it when it is not there. */
export function findCommand(command: string, packageName: string): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const paths = command.startsWith('/')
    ? globSync(command).toSorted().toReversed()
    : folders.map((each) => join(each, command));
  const found = paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`${command} is not installed: apt-get install ${packageName}`);
  return found;
}

/** A port of 127.0.0.1 that was free a moment ago, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `causeway-${name}-`));
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
