import { fork } from 'node:child_process';
import { once } from 'node:events';
import { PauseMeter, type Pause } from './pause-meter.ts';

/** A part of a benchmark in a process of its own. */
export interface Child<Ready> {
  readonly pid: number;
  /** What it said when it was ready: its ports. */
  readonly ready: Ready;
  /** What it has used since it started. */
  usage(): Promise<Usage>;
  /** The longest pauses of its event loop since it was last asked; the first time it begins to look. */
  pauses(): Promise<Pause>;
  stop(): Promise<void>;
}

export interface Usage {
  /** User and system time. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

type Message<Ready> =
  | { readonly ready: Ready }
  | { readonly usage: Usage }
  | { readonly pauses: Pause }
  | { readonly failed: string };

/** Starts a file that calls `serveAsChild`, hands it its options, and waits until it is ready. `flags`: Node's. */
export async function startChild<Ready>(
  path: string,
  options: object,
  flags: readonly string[] = [],
): Promise<Child<Ready>> {
  const child = fork(path, { stdio: 'inherit', execArgv: [...process.execArgv, ...flags] });
  const ended = once(child, 'exit').then((): [Message<Ready>] => [{ failed: 'it ended' }]);
  const next = async (): Promise<Message<Ready>> => {
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [Message<Ready>];
    if ('failed' in message) throw new Error(`${path}: ${message.failed}`);
    return message;
  };
  child.send({ options });
  const message = await next();
  if (!('ready' in message)) throw new Error(`${path} spoke out of turn`);
  return {
    pid: child.pid ?? 0,
    ready: message.ready,
    async usage() {
      child.send({ usage: true });
      const answer = await next();
      if (!('usage' in answer)) throw new Error(`${path} spoke out of turn`);
      return answer.usage;
    },
    async pauses() {
      child.send({ pauses: true });
      const answer = await next();
      if (!('pauses' in answer)) throw new Error(`${path} spoke out of turn`);
      return answer.pauses;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** Runs `start` with the parent's options when this process was forked by `startChild`. It ends with its parent. */
export function serveAsChild(start: (options: never) => Promise<object>): void {
  const meter = new PauseMeter();
  process.once('disconnect', () => process.exit(0));
  process.on(
    'message',
    (message: { readonly options: never } | { readonly usage: true } | { readonly pauses: true }) => {
      if ('pauses' in message) {
        process.send?.({ pauses: meter.take() });
        return;
      }
      if ('usage' in message) {
        const { user, system } = process.cpuUsage();
        process.send?.({ usage: { cpuMs: (user + system) / 1_000, rssBytes: process.memoryUsage.rss() } });
        return;
      }
      start(message.options).then(
        (ready) => process.send?.({ ready }),
        (error: unknown) => process.send?.({ failed: String(error) }),
      );
    },
  );
}
