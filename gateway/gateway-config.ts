import { z } from '../base/index.ts';

const listener = (port: number) =>
  z.strictObject({ host: z.string().default('0.0.0.0'), port: z.int().min(0).max(65_535).default(port) });

/** The configuration of a replica; `docs/configuration.md` describes each key. */
export const gatewayConfigSchema = z.strictObject({
  /** The data center this replica is in. */
  site: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/u, 'is not a DNS label'),
  /** The replica's name, unique in its site. */
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/u, 'is not a DNS label'),
  /** The folder with the replica's key, certificate and trust. */
  keys: z.string(),
  /** Where agents and SDKs dial links. */
  link: listener(8441).prefault({}),
  /** The API for HTTP and Kubernetes clients. */
  api: listener(8440).prefault({}),
  /** Health, and what needs no certificate. */
  public: listener(8442).prefault({}),
  /** Link addresses, `host:port`, that agents are told of. */
  advertise: z.array(z.string()).default([]),
  store: z.strictObject({ path: z.string() }),
  /** The copies of what edges' Kubernetes APIs hold. */
  cache: z
    .strictObject({
      /** Memory for all copies together; whole kinds of an edge are evicted, those used least recently first. */
      maxBytes: z
        .int()
        .min(1024 * 1024)
        .default(4 * 1024 ** 3),
      /** The folder where copies are kept over a restart; without it they come anew from the edges. */
      snapshots: z.string().exactOptional(),
      /** What reads get that say nothing of freshness, where the edge's `spec.cacheReads` does not say. */
      reads: z.enum(['live', 'cache']).default('live'),
    })
    .prefault({}),
  /** How long an end waits for requests that are under way. */
  drainMs: z.int().min(0).default(10_000),
  log: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type GatewayConfig = z.output<typeof gatewayConfigSchema>;
