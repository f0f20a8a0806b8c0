/** A process with informers, each with a log of what it met. */
import {
  KubeInformer,
  type InformedObject,
  type InformerPlace,
  type InformerTap,
} from '../../support/kube-informer.ts';
import { COMMIT, judge, type Commit, type Met, type Sighting, type Verdict } from '../commits.ts';
import { roleOptions, serveRole } from '../role.ts';

export interface InformersOptions {
  /** By the informers' names. */
  readonly places: Readonly<Record<string, InformerPlace>>;
  /** The writer of objects that bear no edge's label. */
  readonly writers: Readonly<Record<string, string>>;
}

const { places, writers } = roleOptions() as InformersOptions;

class WatchedInformer implements InformerTap {
  readonly log: Met[] = [];
  readonly errors: string[] = [];
  readonly informer: KubeInformer;
  readonly #writer: string;

  constructor(place: InformerPlace, writer: string) {
    this.#writer = writer;
    this.informer = new KubeInformer(place, this);
  }

  onList({ metadata, items }: Parameters<InformerTap['onList']>[0]): void {
    const objects = items.flatMap((item) => this.#sighting(item) ?? []);
    this.log.push({ met: 'list', version: Number(metadata?.resourceVersion), objects });
  }

  onWatch(fromVersion: string): void {
    this.log.push({ met: 'watch', from: Number(fromVersion) });
  }

  onEvent(type: string, object: InformedObject): void {
    if (type === 'ERROR') this.onError(JSON.stringify(object));
    else if (type !== 'BOOKMARK') {
      const version = Number(object.metadata?.resourceVersion);
      this.log.push({ met: 'event', type, version, object: this.#sighting(object) });
    }
  }

  onError(error: unknown): void {
    this.log.push({ met: 'failed' });
    this.errors.push(String(error));
  }

  onExpired(): void {
    this.log.push({ met: 'expired' });
  }

  /** Undefined: no writer of ours wrote it. */
  #sighting({ metadata }: InformedObject): Sighting | undefined {
    const commit = metadata?.annotations?.[COMMIT];
    const name = metadata?.annotations?.['causeway.io/name'] ?? metadata?.name;
    const writer = metadata?.labels?.['causeway.io/edge'] ?? this.#writer;
    if (commit === undefined || name === undefined) return undefined;
    return { writer, name, commit: Number(commit) };
  }
}

const informers = new Map(
  Object.entries(places).map(([name, place]) => [name, new WatchedInformer(place, writers[name] ?? '')]),
);

const commands = {
  start: async () => {
    for (const { informer } of informers.values()) await informer.start();
  },
  /** What each holds, and how much it has met. */
  objects: (name: string): readonly InformedObject[] => informers.get(name)?.informer.objects ?? [],
  met: () => Object.fromEntries(Array.from(informers, ([name, { log }]) => [name, log.length])),
  /** `leaps`: by informers, what they may leap over. */
  verdicts: ({
    logs,
    leaps,
  }: {
    readonly logs: Readonly<Record<string, readonly Commit[]>>;
    readonly leaps: Readonly<Record<string, Parameters<typeof judge>[2]>>;
  }): Readonly<Record<string, Verdict & { readonly errors: readonly string[] }>> =>
    Object.fromEntries(
      Array.from(informers, ([name, { log, errors }]) => [name, { ...judge(log, logs, leaps[name]), errors }]),
    ),
};

export type InformersRole = typeof commands;

serveRole({}, commands);
