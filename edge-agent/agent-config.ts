import { z } from '../base/index.ts';
import { feedConfigSchema } from './feed/index.ts';

const httpService = z.strictObject({
  name: z.string(),
  kind: z.literal('http'),
  url: z.url(),
  socketPath: z.string().exactOptional(),
  tls: z
    .strictObject({
      ca: z.string().exactOptional(),
      servername: z.string().exactOptional(),
      cert: z.string().exactOptional(),
      key: z.string().exactOptional(),
    })
    .exactOptional(),
  headers: z.record(z.string(), z.string()).exactOptional(),
  principalHeader: z.string().exactOptional(),
  impersonate: z.boolean().exactOptional(),
  connectTimeoutMs: z.int().positive().exactOptional(),
  headTimeoutMs: z.int().min(0).exactOptional(),
  silenceTimeoutMs: z.int().min(0).exactOptional(),
  allowConnect: z.boolean().exactOptional(),
  maxConnections: z.int().positive().exactOptional(),
  /** For a Kubernetes API: which of its kinds replicas keep a copy of. */
  cache: feedConfigSchema.exactOptional(),
});

const tcpService = z.strictObject({
  name: z.string(),
  kind: z.literal('tcp'),
  address: z.string(),
  connectTimeoutMs: z.int().positive().exactOptional(),
});

/** The agent's own Kubernetes API, for an edge that has none; its objects are kept in `data`. */
const embeddedService = z.strictObject({
  name: z.string(),
  kind: z.literal('embedded'),
  /** Files of CustomResourceDefinitions; their kinds are served as well. */
  definitions: z.array(z.string()).exactOptional(),
  /** Default: every kind but Secrets. */
  cache: feedConfigSchema.exactOptional(),
});

export type EmbeddedServiceConfig = z.output<typeof embeddedService>;

/** The configuration of an agent; `docs/configuration.md` describes each key. */
export const agentConfigSchema = z.strictObject({
  /** Link listeners of replicas, `host:port`. */
  gateways: z.array(z.string().regex(/^.+:\d{1,5}$/u, 'is not host:port')).min(1),
  /** The folder with the edge's key, certificate and trust. */
  keys: z.string(),
  /** Where the agent keeps what it must find again after a restart. */
  data: z.string().exactOptional(),
  /** How many links to keep. */
  links: z.int().min(1).max(8).default(2),
  /** `http://host:port` of a proxy to go out through; default what `HTTPS_PROXY` says. */
  proxy: z.string().exactOptional(),
  services: z.array(z.discriminatedUnion('kind', [httpService, tcpService, embeddedService])).default([]),
  /** Addresses that may be dialed without being a service. */
  addresses: z.array(z.string()).default([]),
  /** How long a graceful end waits for streams to end by themselves. */
  drainMs: z.int().min(0).default(10_000),
  log: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type AgentConfig = z.output<typeof agentConfigSchema>;
