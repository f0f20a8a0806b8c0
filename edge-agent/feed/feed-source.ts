import type { FedKind, KindProblem } from '../../resources/index.ts';
import type { KindLog } from './kind-log.ts';

/** What an edge feeds: its kinds, each with its log. */
export interface FeedSource {
  /** Names the logs: another process, or another start, is another feed, and knows nothing of this one's sequences. */
  readonly id: string;
  readonly kinds: readonly SourceKind[];
  /** Calls after every change of a log, a description or a state, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

export interface SourceKind {
  /** Undefined: the edge's API has not said yet that there is such a kind. Another object: it is described anew. */
  readonly kind: FedKind | undefined;
  /** Another log: everything begins anew. */
  readonly log: KindLog;
  readonly health: KindHealth;
  /** What the log contains is the state as of this version of the edge's API; 0: not known. */
  readonly version: number;
}

export interface KindHealth {
  /** The log holds a complete list. */
  readonly isSynced: boolean;
  /** The edge's API is watched, and is well. */
  readonly isLive: boolean;
  readonly problem?: KindProblem;
}
