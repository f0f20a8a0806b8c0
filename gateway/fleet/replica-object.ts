import { apiVersion } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import { heldObject, WatchCache, type KubeObject } from '../../resources/index.ts';
import { replicaType } from './replica-type.ts';

/** What a replica says of itself. */
export interface ReplicaFacts {
  readonly site: string;
  readonly name: string;
  /** Random, one a process. */
  readonly instance: string;
  readonly version: string;
  readonly startedAt: string;
  readonly ports: { readonly api: number; readonly link: number; readonly public: number };
  readonly links: number;
  readonly edges: number;
  /** Its own certificate and the roots that it trusts. */
  readonly certificate?:
    | { readonly notAfter: string; readonly issuer: string; readonly trustVersion: string }
    | undefined;
  /** Key identifier of the issuer that it has for edges. */
  readonly edgeIssuer?: string | undefined;
}

/** The `Replica` objects: all replicas that the store knows. They are in memory, and as old as what the store has said last. */
export class ReplicaObjects {
  readonly collection: WatchCache;

  constructor(clock: Clock) {
    this.collection = new WatchCache(replicaType, { clock, maxEvents: 256 });
  }

  /** These are the replicas, as of a revision of the store: so versions are the same at all of them. */
  show(replicas: Iterable<ReplicaFacts & { readonly revision: number }>, revision: number): void {
    const objects = [...replicas].map((facts) => heldObject(objectOf(facts), replicaType));
    this.collection.replace(objects, revision);
  }

  close(): void {
    this.collection.close();
  }
}

function objectOf(facts: ReplicaFacts & { readonly revision: number }): KubeObject {
  const { site, name, instance, version, startedAt, ports, links, edges, certificate, edgeIssuer, revision } = facts;
  return {
    apiVersion,
    kind: 'Replica',
    metadata: {
      name: `${site}.${name}`,
      uid: instance,
      resourceVersion: String(revision),
      creationTimestamp: startedAt.replace(/\.\d+Z$/u, 'Z'),
      labels: { 'causeway.io/site': site },
    },
    spec: { site, name, ports },
    status: {
      version,
      startedAt,
      links,
      edges,
      ...(certificate === undefined ? {} : { certificate }),
      ...(edgeIssuer === undefined ? {} : { edgeIssuer }),
    },
  };
}
