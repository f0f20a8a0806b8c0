import { pino, stdTimeFunctions } from 'pino';

import { codeOf, messageOf } from './coded-error.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What an event carries: names and values, no sentences, and never a secret or a body. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one event. Fields that cost something to collect are given as a function: it runs only when the level is on. */
type LogEvent = (event: string, fields?: LogFields | (() => LogFields)) => void;

/**
 * The log of one part of the program: one JSON line an event, `{"level","time","name","event",...fields}`, events by name
 * (`link-opened`). A level that is off costs one call of an empty function. An `error` field is written as code, message and stack.
 */
export interface Log {
  readonly trace: LogEvent;
  readonly debug: LogEvent;
  readonly info: LogEvent;
  readonly warn: LogEvent;
  readonly error: LogEvent;
  isOn(level: Exclude<LogLevel, 'silent'>): boolean;
  /** A log that adds these fields to each of its events. */
  child(fields: LogFields): Log;
  /** Resolves when what was logged so far is with the operating system. */
  flush(): Promise<void>;
}

export interface LogOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** The program or role, in every line. */
  readonly name: string;
  /** Default `stdout`. A file's folder is made when it is missing. */
  readonly destination?: 'stdout' | 'stderr' | { readonly file: string } | { write(line: string): void };
}

/** Whatever stands under one of these names is replaced, at the top of an event or one level below. */
const secretNames = [
  'authorization',
  'Authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'password',
  'passphrase',
  'secret',
  'token',
  'joinToken',
  'bearer',
  'apiKey',
  'privateKey',
  'keyPem',
  'clientSecret',
  'streamId',
];

/** Opens the log of a process. Lines are written in the background and, at the process's end, flushed. */
export function createLog({ level = 'info', name, destination = 'stdout' }: LogOptions): Log {
  const options: pino.LoggerOptions = {
    level,
    messageKey: 'event',
    base: { name },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {
      error: errorFields,
      reason: (reason: unknown) => (reason instanceof Error ? errorFields(reason) : reason),
    },
    redact: { paths: secretNames.flatMap((secret) => [`["${secret}"]`, `*["${secret}"]`]), censor: '[secret]' },
  };
  if (typeof destination === 'object' && 'write' in destination) return wrap(pino(options, destination));
  // A minLength of 0 makes flush() return at once, with the lines still on their way.
  const dest = typeof destination === 'object' ? destination.file : destination === 'stderr' ? 2 : 1;
  return wrap(pino(options, pino.destination({ dest, sync: false, minLength: 1, mkdir: typeof dest === 'string' })));
}

/** A log that writes nothing: the default of parts that take one. */
export const silentLog: Log = createLog({ level: 'silent', name: 'silent', destination: { write: () => undefined } });

function wrap(logger: pino.Logger): Log {
  return {
    trace: writer(logger, 'trace'),
    debug: writer(logger, 'debug'),
    info: writer(logger, 'info'),
    warn: writer(logger, 'warn'),
    error: writer(logger, 'error'),
    isOn: (level) => logger.isLevelEnabled(level),
    child: (fields) => wrap(logger.child(fields)),
    flush: () => new Promise((resolve, reject) => logger.flush((error) => (error ? reject(error) : resolve()))),
  };
}

function writer(logger: pino.Logger, level: Exclude<LogLevel, 'silent'>): LogEvent {
  // The level of a log never changes, so what is off is an empty function for good.
  if (!logger.isLevelEnabled(level)) return () => undefined;
  return (event, fields) => {
    logger[level](typeof fields === 'function' ? fields() : (fields ?? {}), event);
  };
}

function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return { code: codeOf(error), message: messageOf(error), stack: error.stack };
}
