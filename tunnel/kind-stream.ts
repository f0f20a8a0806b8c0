import type { Duplex } from 'node:stream';
import type { CodedError } from '../base/index.ts';
import type { StreamClass, StreamTarget } from './frame.ts';

/**
 * What a kind of stream needs of a stream: a half-open byte Duplex with its target, its head and the acceptor's answer.
 * Kinds are written against this, so that they can be tested over anything that has these members.
 */
export interface KindStream extends Duplex {
  readonly target: StreamTarget;
  /** The kind's own head, as the opener gave it. */
  readonly head: Buffer;
  /** Acceptor only: takes the stream; the first read or write implies it. */
  accept(): void;
  /** Acceptor only, before `accept`: nothing was executed, and the opener's stream fails with this code. */
  refuse(error: CodedError): void;
}

export interface OpenStreamOptions {
  readonly head?: Buffer;
  readonly class?: StreamClass;
  readonly signal?: AbortSignal;
}

/** Opens streams. A stream can be written at once; it emits `open` when it is accepted, or is destroyed with a coded error. */
export interface KindStreamOpener {
  open(target: StreamTarget, options?: OpenStreamOptions): KindStream;
}
