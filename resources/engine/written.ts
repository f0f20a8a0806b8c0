import type { HeldObject } from '../collection/collection.ts';
import type { KubeObject } from '../object.ts';

/** What a write came to. */
export interface Written {
  /** The object as it goes out. */
  readonly json: Buffer;
  readonly warnings: readonly string[];
  /** Parsed when it is asked for. */
  object(): KubeObject;
}

export interface Deleted extends Written {
  /** False: finalizers keep it, and it has a `deletionTimestamp` now. */
  readonly gone: boolean;
}

export function writtenHeld({ json }: HeldObject, warnings: readonly string[]): Written {
  return { json, warnings, object: () => objectOf(json) };
}

export function writtenObject(object: KubeObject, warnings: readonly string[]): Written {
  return { json: Buffer.from(JSON.stringify(object)), warnings, object: () => object };
}

/** What a collection holds was checked when it came in. */
export function objectOf(json: Buffer): KubeObject {
  return JSON.parse(json.toString()) as KubeObject;
}
