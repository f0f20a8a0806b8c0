/** Carries whole messages both ways, in order, until it closes: a WebSocket, or a pair in memory. */
export interface Wire {
  /** Says where the other end is, for logs. */
  readonly remote: string;
  /** Bytes that the wire puts before each message: 0 where there are no records to fill. */
  readonly headerBytes: number;
  /** The same for what comes from the other end. */
  readonly peerHeaderBytes: number;
  /** So much waits to go out that more would only wait here: go on at `onDrain`. */
  readonly full: boolean;
  /**
   * Hands a message over, in one or two pieces; the first begins with `headerBytes` of room, which the wire fills. The buffers
   * are the wire's from now on.
   */
  send(message: Buffer, rest?: Buffer): void;
  /** Closes after what was sent has gone out. */
  close(reason: string): void;
  /** Closes at once; what was sent may be lost. */
  destroy(): void;
  /** Takes what comes. Set once, before anything can arrive. */
  user: WireUser;
}

export interface WireUser {
  onMessage(message: Buffer): void;
  /** What waited has gone out. */
  onDrain(): void;
  /** A message that is not binary. */
  onText(): void;
  /** Called once. */
  onClose(reason: string): void;
}

/** A user for the time before there is one. */
export const nobody: WireUser = { onMessage() {}, onDrain() {}, onText() {}, onClose() {} };
