import { z } from '../base/index.ts';
import { feedConfigSchema } from './feed/index.ts';

const httpService = z.strictObject({
  name: z.string(),
  kind: z.literal('http'),
  url: z.url().exactOptional(),
  kubeconfig: z.string().exactOptional(),
  tokenFile: z.string().exactOptional(),
  socketPath: z.string().exactOptional(),
  tls: z
    .strictObject({
      ca: z.string().exactOptional(),
      servername: z.string().exactOptional(),
      cert: z.string().exactOptional(),
      key: z.string().exactOptional(),
      caFile: z.string().exactOptional(),
      certFile: z.string().exactOptional(),
      keyFile: z.string().exactOptional(),
    })
    .exactOptional(),
  headers: z.record(z.string(), z.string()).exactOptional(),
  passAuthorization: z.boolean().exactOptional(),
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
  /** Public listeners of replicas, `host:port`, where a certificate that has expired is renewed; more are learned from replicas. */
  public: z.array(z.string().regex(/^.+:\d{1,5}$/u, 'is not host:port')).default([]),
  /** The folder with the edge's key, certificate and trust. */
  keys: z.string(),
  /** The file with the password of the key, where that is encrypted. */
  keyPassword: z.string().exactOptional(),
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

type AnyService = AgentConfig['services'][number];

/** A service with the paths that it names changed by `resolve`: from where the configuration's file is, usually. */
export function withServicePaths(service: AnyService, resolve: (path: string) => string): AnyService {
  const resolved = <T extends object>(object: T, key: keyof T & string): T => {
    const path = object[key];
    return typeof path === 'string' ? { ...object, [key]: resolve(path) } : object;
  };
  switch (service.kind) {
    case 'http': {
      const { tls } = service;
      const own = resolved(resolved(service, 'kubeconfig'), 'tokenFile');
      if (tls === undefined) return own;
      return { ...own, tls: resolved(resolved(resolved(tls, 'caFile'), 'certFile'), 'keyFile') };
    }
    case 'embedded': {
      const { definitions } = service;
      return definitions === undefined
        ? service
        : { ...service, definitions: definitions.map((path) => resolve(path)) };
    }
    case 'tcp':
      return service;
  }
}
