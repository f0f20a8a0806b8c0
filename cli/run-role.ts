import { dirname, isAbsolute, resolve } from 'node:path';
import { createLog, messageOf, parseYaml, untilSignal, type Log, type LogLevel } from '../base/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, OptionSpec } from './command-line.ts';

/** What every role takes. */
export const roleOptions: readonly OptionSpec[] = [
  { flags: '-c, --config FILE', help: 'its YAML file' },
  {
    flags: '--set KEY=VALUE',
    help: 'a key of the configuration, over the file and the environment: link.port=9001',
    many: true,
  },
];

export interface Role {
  readonly name: string;
  readonly log: Log;
  /** Reads the configuration once more, for a reload; throws what is wrong with it. */
  readonly reread: () => Promise<unknown>;
  /** Takes what may change while it runs: keys, certificates and trust. Throws what is wrong with them. */
  readonly reload: () => Promise<void>;
  readonly close: (reason: string) => Promise<void>;
}

/**
 * Runs a role until it is told to end: SIGTERM and SIGINT drain it, and so does the end of the process that started it as
 * a part of its own (the channel between them closes), so that nothing is left behind. SIGHUP reads keys and certificates again, and
 * checks the configuration.
 */
export async function untilEnd({ name, log, reread, reload, close }: Role): Promise<void> {
  const onReload = (): void => {
    const failed = (error: unknown): void => log.error('reload-failed', { error, message: messageOf(error) });
    reload().then(() => log.info('reloaded', { what: 'keys, certificates and trust' }), failed);
    reread().then(
      () => log.info('configuration-valid', { hint: `restart ${name} to use what has changed in it` }),
      failed,
    );
  };
  process.on('SIGHUP', onReload);
  const reason = await untilParentEnds();
  log.info('stopping', { reason });
  await close(reason);
  await log.flush();
}

/** Resolves with a signal, or when the process that started this one is gone. */
export function untilParentEnds(): Promise<string> {
  const orphaned = new AbortController();
  if (process.connected) process.once('disconnect', () => orphaned.abort());
  return untilSignal(['SIGTERM', 'SIGINT'], { abort: orphaned.signal }).catch(() => 'the parent ended');
}

/** Tells the process that started this one, where it listens for that. */
export function tellParent(message: object): void {
  if (process.connected) process.send?.(message);
}

export function roleLog(name: string, level: LogLevel): Log {
  return createLog({ name, level });
}

/** What `--set` gave, nested as the configuration is. Values are YAML: numbers, lists and objects too. Throws `usage`. */
export function settingsOf(input: CommandInput): Readonly<Record<string, unknown>> {
  const settings: Record<string, unknown> = {};
  for (const text of input.list('set')) {
    const equals = text.indexOf('=');
    const path = text.slice(0, Math.max(0, equals)).split('.');
    if (path.some((key) => !/^\w+$/u.test(key) || key === '__proto__'))
      throw cliError('usage', `--set takes KEY=VALUE, not ${JSON.stringify(text)}`);
    const parsed = parseYaml(text.slice(equals + 1));
    const value = 'problems' in parsed ? text.slice(equals + 1) : parsed.value;
    let at = settings;
    for (const key of path.slice(0, -1)) {
      const next = at[key];
      at = at[key] = isRecord(next) ? next : {};
    }
    at[path.at(-1) ?? ''] = value;
  }
  return settings;
}

/** A path of a configuration file is taken from where the file is. */
export function beside(file: string | undefined, path: string): string {
  return file === undefined || isAbsolute(path) ? path : resolve(dirname(file), path);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
