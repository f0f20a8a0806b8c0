import type { BackoffOptions, Clock, Log } from '../../base/index.ts';
import type { ReflectorSink, ReflectorState } from './reflector-sink.ts';
import type { ResourceClient } from './resource-client.ts';
import type { Query, ResourceRef } from './resource-ref.ts';

export interface ReflectorOptions {
  readonly client: ResourceClient;
  readonly resource: ResourceRef;
  readonly sink: ReflectorSink;
  /** Default: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Parameters of every list and watch besides those that it sets itself. */
  readonly query?: Query;
  /**
   * The first list: `any` is what the API has in memory (`resourceVersion=0`), `newest` what is true now; or no list at
   * all, but what changes behind a version. Every later list is the newest. Default `any`.
   */
  readonly first?: 'any' | 'newest' | { readonly behind: number };
  /** Objects an answer; 0: all in one. Default 500. */
  readonly pageSize?: number;
  /** A list of more objects is refused, before memory is. Default 1,000,000. */
  readonly maxObjects?: number;
  /**
   * How often what is held is compared with a list of the same version (`resourceVersionMatch=Exact`); where the API
   * cannot give that, it is listed anew. Default: never.
   */
  readonly compareEveryMs?: number;
  /** How long a watch is asked for, before jitter. Default 300,000. */
  readonly watchMs?: number;
  /** A watch that still says nothing so long after its time is given up. Default 30,000. */
  readonly silenceMs?: number;
  readonly backoff?: BackoffOptions;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Told when the phase, `synced` or the last error has changed. */
  readonly onChange?: (state: ReflectorState) => void;
}
