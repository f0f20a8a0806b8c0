/** Carries whole messages both ways, in order, until it closes: a WebSocket, or a pair in memory. */
export interface Wire {
  /** Says where the other end is, for logs. */
  readonly remote: string;
  /** Hands a message over; the buffer belongs to the wire from now on. */
  send(message: Buffer): void;
  /** Closes after what was sent has gone out. */
  close(reason: string): void;
  /** Closes at once; what was sent may be lost. */
  destroy(): void;
  /** Takes what comes. Set once, before anything can arrive. */
  user: WireUser;
}

export interface WireUser {
  onMessage(message: Buffer): void;
  /** A message that is not binary. */
  onText(): void;
  /** Called once. */
  onClose(reason: string): void;
}

/** A user for the time before there is one. */
export const nobody: WireUser = { onMessage() {}, onText() {}, onClose() {} };
