import { createHook } from 'node:async_hooks';
import { type Test } from 'tap';
import { waitFor } from './wait-for.ts';

/** What a test must not leave behind: handles that Node closes when told to, by their names in async_hooks. */
const watched: ReadonlySet<string> = new Set([
  'TCPWRAP',
  'TCPSERVERWRAP',
  'PIPEWRAP',
  'PIPESERVERWRAP',
  'UDPWRAP',
  'PROCESSWRAP',
  'FSEVENTWRAP',
  'WORKER',
  'Timeout',
]);

/** Where each living resource was made. Timers count too when they are unref'd: those are forgotten most easily. */
const living = new Map<number, { readonly type: string; readonly stack: string }>();

let hook: ReturnType<typeof createHook> | undefined;

export interface LeakCheck {
  /** Adds a count that must be back where it is now when the test ends: streams, buffered bytes, entries of a table. */
  count(name: string, live: () => number): void;
}

/**
 * Proves at the end of a test that nothing it made is left: sockets, servers, processes, watchers, timers, and whatever
 * is counted. Call it first in the test, so that it looks last, after all other teardowns. What is left gets two seconds to go.
 */
export function withLeakCheck(t: Test): LeakCheck {
  if (hook === undefined) {
    Error.stackTraceLimit = Math.max(Error.stackTraceLimit, 30);
    hook = createHook({ init, destroy: (id) => living.delete(id) }).enable();
  }
  const before = new Set(living.keys());
  const counts: { readonly name: string; readonly live: () => number; readonly before: number }[] = [];
  const look = (): string[] => [
    ...[...living].filter(([id]) => !before.has(id)).map(([, { type, stack }]) => `${type} made\n${stack}`),
    ...counts
      .filter(({ live, before }) => live() !== before)
      .map(({ name, live, before }) => `${name}: ${live()}, was ${before}`),
  ];
  t.teardown(async () => {
    try {
      await waitFor('nothing to be left', () => look().length === 0, { deadlineMs: 2_000 });
    } catch (error) {
      const left = look();
      if (left.length > 0) throw new Error(`left behind by "${t.name}":\n${left.join('\n')}`, { cause: error });
    }
  });
  return { count: (name, live) => counts.push({ name, live, before: live() }) };
}

function init(id: number, type: string): void {
  if (!watched.has(type)) return;
  const stack = new Error().stack?.split('\n').slice(1) ?? [];
  // The frames from the program's own code up; tap's own timers and those of this folder's waits are not the test's.
  const own = stack.filter((frame) => !frame.includes('node:') && !frame.includes('leak-check.ts'));
  const maker = own[0] ?? (type === 'TCPWRAP' ? '(accepted by a server)' : '');
  if (maker === '' || maker.includes('/@tapjs/') || maker.includes('wait-for.ts')) return;
  living.set(id, { type, stack: own.length === 0 ? maker : own.slice(0, 6).join('\n') });
}
