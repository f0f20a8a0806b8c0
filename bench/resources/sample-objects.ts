import { createHash } from 'node:crypto';
import type { KubeObject } from '../../resources/index.ts';
import { realisticPod, withStatusUpdate } from '../../test/support/realistic-pod.ts';

/** Where an object says when it was written: milliseconds since 1970, always as long. */
const stampKey = 'bench.test/written';
const stampStart = Buffer.from(`"${stampKey}":"`);
const stampLength = 17;

/** Kinds that the benchmark's Kubernetes API serves. */
export type SampleResource = 'pods' | 'configmaps';

/** Pods are realistic, 8.5 KB with managedFields and 4.6 KB without; a ConfigMap has so many bytes. The same for the same number. */
export function sampleObject(
  resource: SampleResource,
  index: number,
  version: number,
  configMapBytes: number,
): KubeObject {
  return resource === 'pods' ? realisticPod(index, version) : configMap(index, version, configMapBytes);
}

/** What a kubelet, or whoever writes ConfigMaps, makes of it. `stamped`: it says when. */
export function changedObject(object: KubeObject, version: number, round: number, stamped: boolean): KubeObject {
  const isPod = object.kind === 'Pod';
  const changed = isPod ? withStatusUpdate(object, version, round) : object;
  const annotations = { ...changed.metadata.annotations, ...(stamped ? { [stampKey]: stamp() } : {}) };
  return { ...changed, metadata: { ...changed.metadata, resourceVersion: String(version), annotations } };
}

/** When the object in these bytes was written; undefined: it does not say. */
export function stampIn(line: Buffer): number | undefined {
  const at = line.indexOf(stampStart);
  if (at === -1) return undefined;
  return Number(line.toString('latin1', at + stampStart.length, at + stampStart.length + stampLength));
}

/** By a clock that all processes of this machine share. */
export function stampNow(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * The Pods of many edges, made from those of one: other names of sets, other labels, other uids, for much less work. Without
 * managedFields, since that is how they are held: 4.6 KB.
 */
export class PodPrints {
  readonly #prints: readonly { readonly text: string; readonly set: string; readonly uid: string }[];

  constructor(count: number) {
    this.#prints = Array.from({ length: count }, (_, index) => {
      const pod = realisticPod(index, 1_000_000 + index);
      const { managedFields: _dropped, ...metadata } = pod.metadata;
      const set = metadata.labels?.['pod-template-hash'] ?? '';
      return { text: JSON.stringify({ ...pod, metadata }), set, uid: metadata.uid?.slice(0, 8) ?? '' };
    });
  }

  /** JSON. */
  print(edge: string, index: number): string {
    const print = this.#prints[index];
    if (print === undefined) return '{}';
    const id = createHash('sha256').update(`${edge} ${print.set}`).digest('hex');
    return print.text.replaceAll(print.set, id.slice(0, 10)).replace(print.uid, id.slice(10, 18));
  }
}

function configMap(index: number, version: number, bytes: number): KubeObject {
  const digest = (part: number): string => createHash('sha256').update(`${index} ${part}`).digest('hex');
  const object = {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: {
      name: `settings-${String(index).padStart(4, '0')}`,
      namespace: 'bench',
      uid: digest(0).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/u, '$1-$2-$3-$4-$5'),
      resourceVersion: String(version),
      creationTimestamp: '2026-03-01T10:00:00Z',
      annotations: { [stampKey]: stamp() },
    },
    data: { settings: '' },
  };
  const room = bytes - JSON.stringify(object).length;
  const settings = Array.from({ length: 16 }, (_, part) => digest(part + 1)).join('');
  return { ...object, data: { settings: settings.slice(0, room) } };
}

function stamp(): string {
  return stampNow().toFixed(3);
}
