import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/causeway', import.meta.url));

/** What a command came to. */
export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

/** Runs the `causeway` command to its end, as a shell would. */
export async function causeway(args: readonly string[], { input, ...options }: RunOptions = {}): Promise<Outcome> {
  const child = startCauseway(args, options, ['pipe', 'pipe', 'pipe']);
  // A command that reads no input may be gone before all of it is written.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const [stdout, stderr] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (stream === null ? Buffer.alloc(0) : buffer(stream))),
  );
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { exitCode: child.exitCode, stdout: stdout ?? Buffer.alloc(0), stderr: String(stderr) };
}

/** Starts the command, for what runs until it is told to end. */
export function startCauseway(
  args: readonly string[],
  options: Omit<RunOptions, 'input'>,
  stdio: SpawnOptions['stdio'],
): ChildProcess {
  const env = { ...process.env, CAUSEWAY_CONFIG: '', ...options.env };
  return spawn(program, args, { stdio, env, ...(options.cwd === undefined ? {} : { cwd: options.cwd }) });
}
