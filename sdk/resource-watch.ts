import { CodedError } from '../base/index.ts';
import { Reflector, type KubeObject, type RawEvent, type ReflectorOptions } from '../resources/index.ts';

/** What a watch tells. */
export type ResourceEvent =
  | {
      readonly type: 'added' | 'modified' | 'deleted';
      /** For `deleted` its last state. */
      readonly object: KubeObject;
      /** A watch from here misses nothing that comes behind this event. */
      readonly resourceVersion: string;
    }
  /**
   * What changed meanwhile is not kept: these are all the objects that there are now, in place of all that was told
   * before.
   */
  | { readonly type: 'relisted'; readonly items: readonly KubeObject[]; readonly resourceVersion: string };

/** So many events wait for the reader; then the server is not read any more, and may cut the watch off. */
const MAX_WAITING = 1000;
const AWAKE_MS = 60_000;

/**
 * Objects as `added`, then what changes, until the reader leaves or the signal says so. It goes on by itself over
 * connections and replicas that are lost; where something was missed, `relisted` says so. Throws what keeps it from
 * beginning, and later what no repetition helps against: 401, 403, 404.
 */
export async function* watchResources(
  options: Omit<ReflectorOptions, 'sink' | 'onChange'>,
  signal?: AbortSignal,
): AsyncGenerator<ResourceEvent, void, undefined> {
  signal?.throwIfAborted();
  const queue: ResourceEvent[] = [];
  let wake = (): void => undefined;
  let room = Promise.withResolvers<void>();
  let end: { readonly error: unknown } | undefined;
  const push = (event: ResourceEvent): Promise<void> | undefined => {
    queue.push(event);
    wake();
    return queue.length < MAX_WAITING ? undefined : room.promise;
  };
  const finish = (error: unknown): void => {
    end ??= { error };
    wake();
    room.resolve();
  };
  const reflector = new Reflector({
    ...options,
    sink: {
      replace: async (objects, version, reason) => {
        const resourceVersion = String(version);
        if (reason !== 'first')
          return await push({ type: 'relisted', items: objects.map(({ object }) => object), resourceVersion });
        for (const raw of objects) {
          const wait = push({ type: 'added', object: raw.object, resourceVersion });
          if (wait !== undefined) await wait;
        }
      },
      apply: ({ type, object, version }: RawEvent) => push({ type, object, resourceVersion: String(version) }),
    },
    onChange: ({ synced, lastError }) => {
      if (lastError !== undefined && (!synced || isFinal(lastError))) finish(lastError);
    },
  });
  const onAbort = (): void => finish(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  // A clock's timers keep no process alive; who waits for events wants it to live between two connections too.
  const awake = setInterval(() => undefined, AWAKE_MS);
  reflector.start();
  try {
    for (;;) {
      const events = queue.splice(0);
      room.resolve();
      room = Promise.withResolvers();
      yield* events;
      if (queue.length > 0) continue;
      if (end !== undefined) throw end.error;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    clearInterval(awake);
    signal?.removeEventListener('abort', onAbort);
    room.resolve();
    await reflector.close();
  }
}

function isFinal(error: Error): boolean {
  return error instanceof CodedError && [401, 403, 404].includes(error.status);
}
