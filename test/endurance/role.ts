import { setPriority } from 'node:os';

/** What a process of a scenario does when it is asked: each command takes one value and answers with one. */
export type Commands = Readonly<Record<string, (input: never) => unknown>>;

export interface Ask {
  readonly ask: number;
  readonly command: string;
  readonly input: unknown;
}

export type Answer =
  | { readonly started: unknown }
  | { readonly ask: number; readonly value: unknown }
  | { readonly ask: number; readonly failed: string };

/** The options that `Child.start` gave. */
export function roleOptions(): unknown {
  return JSON.parse(process.argv[2] ?? '{}');
}

/** Says that this process has started, and what of, and obeys until its parent goes. */
export function serveRole(started: unknown, commands: Commands): void {
  process.once('disconnect', () => process.exit(0));
  process.on('message', ({ ask, command, input }: Ask) => {
    obey(commands, command, input).then(
      (value) => say({ ask, value }),
      (error: unknown) => say({ ask, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  say({ started });
}

async function obey(commands: Commands, command: string, input: unknown): Promise<unknown> {
  const run = commands[command];
  if (run === undefined) throw new Error(`no command ${command}`);
  return await run(input as never);
}

/** For one that runs as fast as it can: it is not to take the time of those who are measured. */
export function yieldToOthers(): void {
  setPriority(19);
}

/** What V8 knows of this process's memory, in MiB. */
export function heap(): { readonly heapUsed: number; readonly external: number } {
  const { heapUsed, external } = process.memoryUsage();
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
  return { heapUsed: mib(heapUsed), external: mib(external) };
}

/** Frees what is free to be freed, so that what is measured afterwards is what is held. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function say(answer: Answer): void {
  if (process.connected) process.send?.(answer);
}
