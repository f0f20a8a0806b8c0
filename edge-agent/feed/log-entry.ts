import type { Fingerprint } from '../../resources/index.ts';

/** A member of a ring; alone it is a ring of one. */
export class RingNode {
  previous: RingNode = this;
  next: RingNode = this;

  /** Leaves its ring, and stands behind `place` in that one's. */
  moveBehind(place: RingNode): void {
    this.leave();
    this.previous = place;
    this.next = place.next;
    place.next.previous = this;
    place.next = this;
  }

  leave(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.previous = this;
    this.next = this;
  }
}

/** One state of an object, or that it is gone, at its place in the log. */
export class LogEntry extends RingNode {
  readonly namespace: string;
  readonly name: string;
  /** Rises with every change of anything in the feed. */
  readonly sequence: number;
  /** The `resourceVersion` of the state, or of the deletion. */
  readonly version: number;
  /** Undefined: deleted. */
  readonly json: Buffer | undefined;
  readonly fingerprint: Fingerprint;
  /** The sequence of the state that came after it: then this is history. */
  supersededBy: number | undefined;
  /** The state before, until the difference from it is made. */
  base: EntryBase | undefined;
  /** The difference from the state before, made when it was first wanted. */
  delta: EntryDelta | undefined;

  constructor(
    { namespace, name }: { readonly namespace: string; readonly name: string },
    sequence: number,
    version: number,
    json: Buffer | undefined,
    fingerprint: Fingerprint,
  ) {
    super();
    this.namespace = namespace;
    this.name = name;
    this.sequence = sequence;
    this.version = version;
    this.json = json;
    this.fingerprint = fingerprint;
  }
}

/** The state of an object before another. */
export interface EntryBase {
  readonly json: Buffer;
  readonly fingerprint: Fingerprint;
  readonly sequence: number;
}

/** A state of an object as the difference from the one before. */
export interface EntryDelta {
  readonly base: Omit<EntryBase, 'json'>;
  readonly bytes: Buffer;
}
