/** The frames of the protocol (docs/protocol.md, section 3): what each carries, decoded. */
export const FrameType = {
  HELLO: 0x01,
  WELCOME: 0x02,
  PING: 0x03,
  PONG: 0x04,
  LINK_ACK: 0x05,
  GOAWAY: 0x06,
  UPDATE: 0x07,
  OPEN: 0x10,
  ACCEPT: 0x11,
  REFUSE: 0x12,
  DATA: 0x13,
  FIN: 0x14,
  CREDIT: 0x15,
  RESET: 0x16,
  RESUME: 0x17,
  RESUMED: 0x18,
  DETACH: 0x19,
  PAD: 0x80,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** From here up an unknown type is skipped, below it is an error, so that versions can be mixed. */
export const FIRST_SKIPPABLE_TYPE = 0x80;

export const Flag = {
  /** The frame's body goes on in the next frame, of the same type and channel. */
  MORE: 0x01,
  /** On DATA: the sender has more to send and no credit left for it. The receiver's window rule reads it. */
  BLOCKED: 0x02,
  /** On RESET: this acknowledges the peer's RESET. */
  ACK: 0x04,
} as const;

/** `type u8 · flags u8 · length u16 · channel u32`, big-endian. */
export const FRAME_HEADER_BYTES = 8;
/** A DATA frame's header and its offset. */
export const DATA_HEADER_BYTES = 16;

/** A stream's number on one link: odd when the link's dialer opened it, never used twice on a link. */
export type Channel = number;

/** How a stream shares a link: `control` is the protocol's own, callers ask for one of the other two. */
export const StreamClass = { INTERACTIVE: 1, BULK: 2 } as const;
export type StreamClass = (typeof StreamClass)[keyof typeof StreamClass];

/** Where a stream goes, and what policy decides by. Bounded text, each field. */
export interface StreamTarget {
  readonly edge: string;
  readonly service: string;
  /** `http`, `tcp`, `sync`, `control`. */
  readonly kind: string;
  /** The HTTP method, or `connect`. */
  readonly verb: string;
  /** The HTTP path with its query, the host and port of an address, or nothing. */
  readonly path: string;
  /** The authenticated caller; written by the switch that authenticated it, never by the caller. */
  readonly principal: string;
}

/** What OPEN and RESUME both carry. */
export interface OpenFrame {
  readonly type: typeof FrameType.OPEN | typeof FrameType.RESUME;
  readonly channel: Channel;
  /** 128 random bits as 32 hex digits. A capability: never logged. */
  readonly id: string;
  /** The instance of the accepting endpoint that the opener means; empty when it does not know one yet. */
  readonly instance: string;
  /** Rises with each OPEN or RESUME of the stream; the acceptor follows the highest. */
  readonly attempt: number;
  readonly class: StreamClass;
  /** The opener has received this many bytes of the acceptor's direction. */
  readonly received: number;
  /** The acceptor may send up to this offset. */
  readonly limit: number;
  readonly target: StreamTarget;
  /** The kind's own head; empty on RESUME. */
  readonly head: Buffer;
}

export interface CreditFrame {
  readonly type: typeof FrameType.ACCEPT | typeof FrameType.RESUMED | typeof FrameType.CREDIT;
  readonly channel: Channel;
  readonly received: number;
  readonly limit: number;
}

export interface RefuseFrame {
  readonly type: typeof FrameType.REFUSE;
  readonly channel: Channel;
  readonly code: string;
  readonly message: string;
  /** The endpoint's own instance, where an endpoint refuses; empty where a switch does. */
  readonly instance: string;
  readonly retryAfterMs: number;
}

export interface DataFrame {
  readonly type: typeof FrameType.DATA;
  readonly channel: Channel;
  readonly offset: number;
  readonly blocked: boolean;
  readonly payload: Buffer;
  /** The whole frame as it came, where it came over a wire: a switch sends it on as it is, with another channel number. */
  readonly raw?: Buffer;
  /** So many bytes of memory before `raw` are nobody's any more: room for another PAD. */
  readonly spare?: number;
}

export interface FinFrame {
  readonly type: typeof FrameType.FIN;
  readonly channel: Channel;
  /** The stream's length; FIN itself occupies this offset. */
  readonly offset: number;
}

export interface ResetFrame {
  readonly type: typeof FrameType.RESET;
  readonly channel: Channel;
  readonly ack: boolean;
  readonly code: string;
  readonly message: string;
}

export interface DetachFrame {
  readonly type: typeof FrameType.DETACH;
  readonly channel: Channel;
  readonly code: string;
}

/** Link-level frames with a JSON body; the code that uses them checks what is in it. */
export interface BodyFrame {
  readonly type: typeof FrameType.HELLO | typeof FrameType.WELCOME | typeof FrameType.GOAWAY | typeof FrameType.UPDATE;
  readonly channel: 0;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ProbeFrame {
  readonly type: typeof FrameType.PING | typeof FrameType.PONG;
  readonly channel: 0;
  readonly nonce: number;
}

export interface LinkAckFrame {
  readonly type: typeof FrameType.LINK_ACK;
  readonly channel: 0;
  /** Message bytes received on the link since it opened. */
  readonly bytes: number;
}

/** Frames of a stream's channel. */
export type StreamFrame = OpenFrame | CreditFrame | RefuseFrame | DataFrame | FinFrame | ResetFrame | DetachFrame;
export type LinkFrame = BodyFrame | ProbeFrame | LinkAckFrame;
export type Frame = StreamFrame | LinkFrame;
