/**
 * Every bound of the tunnel in one table. `docs/configuration.md` repeats it, and a test keeps the two equal.
 * Units stand at the end of each name; each entry says why it is what it is, and what happens beyond it.
 */
export interface TunnelLimits {
  /** Payload of one DATA frame. With its headers (frame 8, offset 8, WebSocket 8) and some room for what rides along, 16,256 fills one 16 KiB socket write and one TLS record. */
  readonly maxDataBytes: number;
  /** Payload of any frame; a longer one closes the link (`frame-too-long`). */
  readonly maxFrameBytes: number;
  /** One WebSocket message, whole frames only; a longer one closes the link (`frame-too-long`). */
  readonly maxMessageBytes: number;
  /** An OPEN or RESUME with its kind's head, over all its fragments; beyond it the link closes (`head-too-long`). */
  readonly maxHeadBytes: number;
  /** HELLO, WELCOME, UPDATE, GOAWAY over all their fragments; beyond it the link closes (`head-too-long`). */
  readonly maxHelloBytes: number;
  /** The text of a REFUSE, RESET or GOAWAY; longer ones are cut. */
  readonly maxReasonBytes: number;
  /** Live streams on one link, both ways; an OPEN beyond it is refused `overloaded`. */
  readonly maxLinkStreams: number;
  /** OPENs and RESUMEs a second on one link, and the burst it may save up: a refusal `overloaded` beyond it. */
  readonly opensPerSecond: number;
  readonly opensBurst: number;
  /** Refusals for rate within one second after which the link is closed (`open-flood`). */
  readonly maxRefusedOpensPerSecond: number;
  /** Credit that comes with an OPEN, before any answer: a small request needs no extra round trip. */
  readonly openCreditBytes: number;
  /** The first window of a stream, and of a hop in a switch. */
  readonly windowBytes: number;
  /** The largest window of one stream or hop. */
  readonly maxWindowBytes: number;
  /** What all windows of a process together may grow beyond their first size: it bounds memory when every reader stalls at once. */
  readonly windowGrowthBytes: number;
  /** Bytes queued in one switch; beyond it the fattest channels are detached (`over-budget`), which replay makes harmless. */
  readonly switchQueueBytes: number;
  /** Bytes kept for replay by streams that have no path; beyond it the longest detached go first (`stream-lost`). */
  readonly detachedBytes: number;
  /** How long the opener of a stream looks for a new path. */
  readonly resumeWithinMs: number;
  /** How long the acceptor keeps a stream without a path: longer than any opener tries. */
  readonly keepDetachedMs: number;
  /** How long a finished stream's id is remembered, so that a late OPEN executes nothing. */
  readonly tombstoneMs: number;
  /** Tombstones kept; beyond it the oldest of the cleanly finished go first, and new OPENs are refused `overloaded` when none is left. */
  readonly maxTombstones: number;
  /** How long a new stream waits for an edge that is between links. */
  readonly openWithinMs: number;
  /** OPENs and RESUMEs that one switch holds for edges between links; beyond it they are refused `overloaded`. */
  readonly maxHeldOpens: number;
  /** An acknowledgement that nobody waits for may wait this long for company. */
  readonly ackDelayMs: number;
  /** HELLO has to be answered within this time of the socket opening. */
  readonly handshakeMs: number;
  /** Silence of a link's incoming direction after which it is probed: idle, and with an answer outstanding. */
  readonly idleProbeMs: number;
  readonly busyProbeMs: number;
  /** A probe's deadline is the larger of this and four round trips. */
  readonly probeTimeoutMs: number;
  /** Probes that may go unanswered before a link is given up. */
  readonly probeTries: number;
  /** Bytes in flight on a link before its rate is known, and never less. */
  readonly minInflightBytes: number;
  /** Bytes in flight on a link at most. */
  readonly maxInflightBytes: number;
  /** Bytes queued on one link for control frames; a peer that asks for more than it reads loses the link (`control-flood`). */
  readonly maxControlBytes: number;
}

export const defaultLimits: TunnelLimits = {
  maxDataBytes: 16_256,
  maxFrameBytes: 16_360,
  maxMessageBytes: 80 * 1024,
  maxHeadBytes: 64 * 1024,
  maxHelloBytes: 64 * 1024,
  maxReasonBytes: 512,
  maxLinkStreams: 10_000,
  opensPerSecond: 20_000,
  opensBurst: 20_000,
  maxRefusedOpensPerSecond: 20_000,
  openCreditBytes: 16 * 1024,
  windowBytes: 192 * 1024,
  maxWindowBytes: 8 * 1024 * 1024,
  windowGrowthBytes: 8 * 1024 * 1024,
  switchQueueBytes: 128 * 1024 * 1024,
  detachedBytes: 256 * 1024 * 1024,
  resumeWithinMs: 60_000,
  keepDetachedMs: 120_000,
  tombstoneMs: 120_000,
  maxTombstones: 65_536,
  openWithinMs: 10_000,
  maxHeldOpens: 10_000,
  ackDelayMs: 20,
  handshakeMs: 10_000,
  idleProbeMs: 5_000,
  busyProbeMs: 1_000,
  probeTimeoutMs: 1_000,
  probeTries: 2,
  minInflightBytes: 32 * 1024,
  maxInflightBytes: 8 * 1024 * 1024,
  maxControlBytes: 1024 * 1024,
};
