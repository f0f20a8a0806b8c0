import { heldObject, WatchCache, type KubeObject } from '../../resources/index.ts';
import { apiVersion } from '../../api/index.ts';
import type { Clock, Timer } from '../../base/index.ts';
import { replicaType } from './replica-type.ts';

/** What happens within this time is one change. */
const GATHER_MS = 1000;

export interface ReplicaFacts {
  readonly site: string;
  readonly name: string;
  readonly version: string;
}

export interface ReplicaState {
  readonly ports: { readonly api: number; readonly link: number; readonly public: number };
  readonly links: number;
  readonly edges: number;
}

/** This replica's own `Replica` object. It is in memory only: it says what is true while the process lives. */
export class ReplicaObject {
  readonly collection: WatchCache;
  readonly #facts: ReplicaFacts;
  readonly #startedAt: string;
  readonly #uid: string;
  readonly #clock: Clock;
  #state: ReplicaState | undefined;
  #timer: Timer | undefined;
  /** Of a later start all versions are higher. */
  #version: number;

  constructor(facts: ReplicaFacts, uid: string, clock: Clock, now: number) {
    this.#facts = facts;
    this.#uid = uid;
    this.#clock = clock;
    this.#version = now;
    this.#startedAt = new Date(now).toISOString().replace(/\.\d+Z$/u, 'Z');
    this.collection = new WatchCache(replicaType, { clock, version: now, maxEvents: 256 });
  }

  /** Shows a state, at once when it is the first, else gathered with what follows. */
  show(state: ReplicaState): void {
    const isFirst = this.#state === undefined;
    this.#state = state;
    if (isFirst) this.#put(state);
    else this.#timer ??= this.#clock.after(GATHER_MS, () => this.#putLast());
  }

  close(): void {
    this.#timer?.cancel();
    this.collection.close();
  }

  #putLast(): void {
    this.#timer = undefined;
    if (this.#state !== undefined) this.#put(this.#state);
  }

  #put({ ports, links, edges }: ReplicaState): void {
    const { site, name, version } = this.#facts;
    const object: KubeObject = {
      apiVersion,
      kind: 'Replica',
      metadata: {
        name: `${site}.${name}`,
        uid: this.#uid,
        resourceVersion: String(++this.#version),
        creationTimestamp: this.#startedAt,
        labels: { 'causeway.io/site': site },
      },
      spec: { site, name, ports },
      status: { version, startedAt: this.#startedAt, links, edges },
    };
    this.collection.put(heldObject(object, replicaType));
  }
}
