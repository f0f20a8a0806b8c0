import type { Test } from 'tap';
import { createLog } from '../../../base/index.ts';
import { Reflector } from '../../../resources/client/reflector.ts';
import type { ReflectorOptions } from '../../../resources/client/reflector-options.ts';
import type { RawEvent, RawObject } from '../../../resources/client/reflector-sink.ts';
import { ResourceClient } from '../../../resources/client/resource-client.ts';
import type { ScriptedApi } from '../../support/scripted-api.ts';
import { waitFor } from '../../support/wait-for.ts';

export const pods = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true } as const;
export const quick = { quickTries: 1000, quickMs: 1 };

/** A sink that keeps what it is told, and checks that it is told in order. */
export class Copy {
  readonly objects = new Map<string, Buffer>();
  readonly told: string[] = [];
  readonly versions = new Map<string, number>();

  replace(objects: readonly RawObject[], version: number, reason: string): void {
    this.told.push(`replace ${reason} ${objects.length} at ${version}`);
    this.objects.clear();
    this.versions.clear();
    for (const each of objects) this.#put(each);
  }

  apply(event: RawEvent): void {
    const key = `${event.namespace}/${event.name}`;
    const known = this.versions.get(key);
    if ((event.type === 'added') !== (known === undefined)) throw new Error(`${event.type} ${key}`);
    const isOld = event.version < (known ?? 0) || (event.version === known && event.type !== 'deleted');
    if (isOld) throw new Error(`${key} went from ${known} to ${event.version}`);
    this.told.push(`${event.type} ${event.name}`);
    if (event.type === 'deleted') {
      this.objects.delete(key);
      this.versions.delete(key);
    } else this.#put(event);
  }

  #put({ namespace, name, version, bytes }: RawObject): void {
    this.objects.set(`${namespace}/${name}`, bytes);
    this.versions.set(`${namespace}/${name}`, version);
  }

  equals(api: ScriptedApi): boolean {
    if (this.objects.size !== api.objects.size) return false;
    return [...api.objects].every(([key, object]) => {
      const bytes = this.objects.get(key);
      return bytes !== undefined && sameJson(JSON.parse(String(bytes)), object);
    });
  }
}

function sameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(ordered(one)) === JSON.stringify(ordered(other));
}

function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, each]) => [key, ordered(each)]),
  );
}

export function reflect(t: Test, api: ScriptedApi, options: Partial<ReflectorOptions> = {}) {
  const copy = new Copy();
  const client = new ResourceClient({ transport: api.transport, limits: { maxObjectBytes: 10_000 } });
  const events: { event: string }[] = [];
  const write = (line: string): void => void events.push(JSON.parse(line) as { event: string });
  const log = createLog({ name: 'test', level: 'debug', destination: { write } });
  const reflector = new Reflector({ client, resource: pods, sink: copy, backoff: quick, log, ...options });
  t.teardown(() => reflector.close());
  reflector.start();
  const settled = (): Promise<unknown> =>
    waitFor('the copy to be equal', () => reflector.state.synced && api.openWatches > 0 && copy.equals(api), {
      deadlineMs: 5000,
    });
  return { copy, reflector, settled, events };
}
