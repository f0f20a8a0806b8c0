import { heldObject } from '../../../resources/collection/held-object.ts';
import type { HeldObject, ObjectWatch, WatchEvent } from '../../../resources/collection/collection.ts';
import type { KubeObject } from '../../../resources/object.ts';
import type { ResourceType } from '../../../resources/types/resource-type.ts';

/** A type with what collections look at. */
export const podType: ResourceType = {
  group: '',
  version: 'v1',
  resource: 'pods',
  singular: 'pod',
  kind: 'Pod',
  listKind: 'PodList',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
  hasStatus: true,
  schema: {
    type: 'object',
    properties: { spec: { type: 'object', properties: { hostNetwork: { type: 'boolean', default: false } } } },
  },
  columns: [],
  selectableFields: ['spec.nodeName', 'status.phase', 'spec.hostNetwork'],
};

export const nodeType: ResourceType = {
  ...podType,
  resource: 'nodes',
  kind: 'Node',
  namespaced: false,
  selectableFields: [],
};

export interface PodOptions {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly text?: string;
}

export function pod(name: string, options: PodOptions = {}): KubeObject {
  const { namespace = 'default', labels = {}, node, text = '' } = options;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { ...(node === undefined ? {} : { nodeName: node }), text },
  };
}

export function heldPod(name: string, version: number, options: PodOptions = {}): HeldObject {
  const object = pod(name, options);
  return heldObject({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }, podType);
}

/** `ADDED default/a@3`. */
export function eventText({ type, object }: WatchEvent): string {
  return `${type} ${object.namespace}/${object.name}@${object.version}`;
}

/** Everything that a watch has to read now. */
export function drain(watch: ObjectWatch, limit = 100): string[] {
  const texts: string[] = [];
  for (;;) {
    const events = watch.read(limit);
    if (events.length === 0) return texts;
    texts.push(...events.map(eventText));
  }
}

/** Numbers that are the same for the same seed: mulberry32. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** The seed of a random test: from `SEED`, else a new one. */
export function seedOf(): number {
  return Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
}
