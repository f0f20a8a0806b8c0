import type { ServerResponse } from 'node:http';
import type { KubeObject } from '../../resources/index.ts';
import { changedObject, sampleObject, type SampleResource } from './sample-objects.ts';

/** One kind of the benchmark's Kubernetes API. */
export interface KubeState {
  readonly version: number;
  /** JSON of the items of a page, without kind and version, as the real API lists them. */
  page(from: number, limit: number): Buffer[];
  readonly length: number;
  /** Sends what is newer than a version, and from then on everything. */
  watch(response: ServerResponse, version: number): void;
}

/** Versions have as many digits throughout, so that objects keep their lengths. */
const firstVersion = 1_000_000;

/** Objects that change on command. All changes are kept: a run is short. */
export class LiveState implements KubeState {
  readonly #objects: KubeObject[];
  readonly #items: Buffer[];
  readonly #lines: Buffer[] = [];
  readonly #watches = new Set<ServerResponse>();
  #round = 0;
  #lineBytes = 0;

  constructor(resource: SampleResource, count: number, configMapBytes = 1024) {
    this.#objects = Array.from({ length: count }, (_, index) =>
      sampleObject(resource, index, firstVersion, configMapBytes),
    );
    this.#items = this.#objects.map(itemOf);
  }

  get version(): number {
    return firstVersion + this.#lines.length;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Of all events since the start, as a watch has them. */
  get lineBytes(): number {
    return this.#lineBytes;
  }

  page(from: number, limit: number): Buffer[] {
    return this.#items.slice(from, from + limit);
  }

  watch(response: ServerResponse, version: number): void {
    const missed = this.#lines.slice(version - firstVersion);
    if (missed.length > 0) response.write(Buffer.concat(missed));
    this.#watches.add(response);
    response.once('close', () => this.#watches.delete(response));
  }

  /** Changes the next object, one after the other all of them; with the time, where that is wanted. */
  change(stamped: boolean): void {
    const index = this.#round % this.#objects.length;
    const before = this.#objects[index];
    if (before === undefined) return;
    const object = changedObject(before, this.version + 1, this.#round + 1, stamped);
    this.#round++;
    const line = Buffer.from(`{"type":"MODIFIED","object":${JSON.stringify(object)}}\n`);
    this.#objects[index] = object;
    this.#items[index] = itemOf(object);
    this.#lines.push(line);
    this.#lineBytes += line.length;
    for (const watch of this.#watches) watch.write(line);
  }
}

/** Objects that never change, made when they are listed. */
export class PrintedState implements KubeState {
  readonly version = firstVersion + 1_000_000;
  readonly length: number;
  readonly #print: (index: number) => string;

  constructor(length: number, print: (index: number) => string) {
    this.length = length;
    this.#print = print;
  }

  page(from: number, limit: number): Buffer[] {
    const count = Math.max(0, Math.min(limit, this.length - from));
    return Array.from({ length: count }, (_, index) => Buffer.from(this.#print(from + index)));
  }

  watch(): void {
    // Nothing ever happens.
  }
}

function itemOf({ kind: _kind, apiVersion: _apiVersion, ...item }: KubeObject): Buffer {
  return Buffer.from(JSON.stringify(item));
}
