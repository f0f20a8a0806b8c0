/** What either end of a feed holds the other to. */
export const feedLimits = {
  /** The longest object; Kubernetes' own limit for a request is 3 MiB. A kind with a longer one is not fed. */
  maxObjectBytes: 4 * 1024 * 1024,
  /** One frame's records, decompressed: the longest object, and what was there before it. */
  maxBatchBytes: 4 * 1024 * 1024 + 256 * 1024,
  /** Records are sent in batches of about so many bytes. */
  batchBytes: 64 * 1024,
  /** One record from replica to agent. */
  maxRequestBytes: 64 * 1024,
  /** Objects of one kind: what a replica may say that it holds. */
  maxObjects: 500_000,
  /** Kinds of one feed. */
  maxKinds: 256,
  /** The longest that a change waits for others to go with it. */
  batchDelayMs: 20,
  /** Between signs of life. */
  aliveMs: 5000,
  /** Without a sign of life for so long the feed counts as lost. */
  silenceMs: 15_000,
  /** Between digests of everything that is in step. */
  digestMs: 30_000,
  /** A compression context that was not used for so long is closed: it costs up to 2 MiB at the agent. */
  contextIdleMs: 10_000,
} as const;
