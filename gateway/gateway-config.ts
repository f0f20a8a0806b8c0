import { z } from '../base/index.ts';

const listener = (port: number) =>
  z.strictObject({
    host: z.string().default('0.0.0.0'),
    port: z.int().min(0).max(65_535).default(port),
    /** `v1v2`: every connection begins with a PROXY protocol header, which a load balancer writes. */
    proxyProtocol: z.enum(['off', 'v1v2']).default('off'),
  });

const etcdConfig = z
  .strictObject({
    /** Of every member, the nearest first. */
    endpoints: z
      .array(z.string().regex(/^https?:\/\/[^\s/@?#]+:\d+$/u, 'is not http://host:port or https://host:port'))
      .min(1),
    /** PEM files: the members' authority, and this replica's own. */
    ca: z.string().exactOptional(),
    cert: z.string().exactOptional(),
    key: z.string().exactOptional(),
    user: z.string().min(1).exactOptional(),
    passwordFile: z.string().exactOptional(),
    /** All of the fleet's keys begin with it. */
    prefix: z
      .string()
      .regex(/^[\x21-\x7e]{1,200}$/u, 'is not 1 to 200 printable characters without spaces')
      .default('/causeway'),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), 'takes cert and key together')
  .refine(
    ({ user, passwordFile }) => (user === undefined) === (passwordFile === undefined),
    'takes user and passwordFile together',
  );

/** The configuration of a replica; `docs/configuration.md` describes each key. */
export const gatewayConfigSchema = z.strictObject({
  /** The data center this replica is in. */
  site: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/u, 'is not a DNS label'),
  /** The replica's name, unique in its site. */
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/u, 'is not a DNS label'),
  /** The folder with the replica's key, certificate and trust. */
  keys: z.string(),
  /** The file with the password of the key, where that is encrypted. */
  keyPassword: z.string().exactOptional(),
  /** Where agents and SDKs dial links. */
  link: listener(8441)
    .extend({
      /** Where other replicas dial it, `host:port`; default the host of the listener, or this machine's name, and its port. */
      address: z.string().exactOptional(),
    })
    .prefault({}),
  /** The API for HTTP and Kubernetes clients. */
  api: listener(8440).prefault({}),
  /** Health, and what needs no certificate. */
  public: listener(8442).prefault({}),
  /** Link addresses, `host:port`, that agents are told of. */
  advertise: z.array(z.string()).default([]),
  /** Addresses of public listeners, `host:port`, that agents are told of. */
  advertisePublic: z.array(z.string()).default([]),
  /** Where decisions are kept: a file of this replica alone, or etcd, which several share. */
  store: z
    .strictObject({
      path: z.string().exactOptional(),
      etcd: etcdConfig.exactOptional(),
    })
    .refine(({ path, etcd }) => (path === undefined) !== (etcd === undefined), 'takes one of path and etcd'),
  /** Who may do everything, whatever the `AccessPolicy` objects say: principals, or beginnings with `*`. */
  admins: z
    .array(
      z
        .string()
        .regex(/^(operator|component)\/([A-Za-z0-9][A-Za-z0-9._-]*)?\*?$/u, 'is no principal, such as operator/alice'),
    )
    .default([]),
  /** The file that brings emergency denials over a restart; default `emergency-denied.json` in the folder of `keys`. */
  emergency: z.string().exactOptional(),
  /** The edges' issuing authority; without it nobody can enrol or renew here. */
  issuer: z
    .strictObject({
      cert: z.string(),
      key: z.string(),
      /** How long an edge's certificate is good; agents renew at two thirds of it. */
      validMs: z
        .int()
        .min(1000)
        .default(24 * 3_600_000),
      /** How long after its end a certificate can still be renewed, on the public listener. */
      graceMs: z
        .int()
        .min(0)
        .default(30 * 24 * 3_600_000),
    })
    .exactOptional(),
  /** The folder with the agents that the public listener hands out: `linux-x64`, `linux-x64.gz`, `linux-x64.sha256` ... */
  agentFiles: z.string().exactOptional(),
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
  /** The audit log of this replica. */
  audit: z
    .strictObject({
      /** Default `audit.jsonl` in the folder of the store, or of `keys` where the store is etcd. */
      file: z.string().exactOptional(),
      /** A file that has reached this is put aside, and a new one is begun. */
      maxBytes: z
        .int()
        .min(1024 * 1024)
        .default(64 * 1024 ** 2),
      /** Files that are kept besides the one that is written; the oldest goes first. */
      keep: z.int().min(1).max(1000).default(16),
    })
    .prefault({}),
  /** How long an end goes on taking connections while it says that it is not ready: as long as load balancers need to notice. */
  drainDelayMs: z.int().min(0).default(0),
  /** How long an end waits for requests that are under way. */
  drainMs: z.int().min(0).default(10_000),
  log: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type GatewayConfig = z.output<typeof gatewayConfigSchema>;
