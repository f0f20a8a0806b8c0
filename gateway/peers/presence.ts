import { z } from '../../base/index.ts';

/** Where replicas say that they are there. */
export const REPLICAS = '/causeway/replicas/';
/** Where replicas say which edges have a link to them. */
export const EDGE_LINKS = '/causeway/edge-links/';

/** A replica, as it shows itself to the others: kept under its lease, so it goes when the store says that the replica is gone. */
const replicaRecord = z.object({
  /** Random, one a process. */
  instance: z.string().max(64),
  site: z.string().max(63),
  name: z.string().max(63),
  version: z.string().max(64),
  /** Its link listener, `host:port`, as other replicas dial it. */
  address: z.string().max(260),
  /** Link listeners, as agents and SDKs dial them. */
  advertise: z.array(z.string().max(260)).max(64).default([]),
  startedAt: z.string().max(64),
  ports: z.object({ api: z.number(), link: z.number(), public: z.number() }),
  links: z.number().default(0),
  edges: z.number().default(0),
  certificate: z
    .object({ notAfter: z.string().max(64), issuer: z.string().max(64), trustVersion: z.string().max(64) })
    .optional(),
  /** Key identifier of the issuer that it has for edges. */
  edgeIssuer: z.string().max(64).optional(),
});

export type ReplicaRecord = z.output<typeof replicaRecord>;

/** That an edge has a link to a replica. */
const edgeLinkRecord = z.object({
  /** The fencing number of the agent's instance: records of lower ones mean nothing. */
  epoch: z.number().int().min(0),
  /** How often this instance has chosen an active link, when it chose this replica's: the highest is the active one. 0: it did not. */
  turn: z.number().int().min(0),
});

export type EdgeLinkRecord = z.output<typeof edgeLinkRecord>;

/** `site/name`: how replicas are told apart. */
export function replicaId({ site, name }: { readonly site: string; readonly name: string }): string {
  return `${site}/${name}`;
}

export function replicaKey(replica: string): string {
  return `${REPLICAS}${replica}`;
}

export function edgeLinkKey(edge: string, replica: string): string {
  return `${EDGE_LINKS}${edge}/${replica}`;
}

/** The edge and the replica of a key below `EDGE_LINKS`. */
export function edgeLinkOf(rest: string): { readonly edge: string; readonly replica: string } {
  const slash = rest.indexOf('/');
  return { edge: rest.slice(0, slash), replica: rest.slice(slash + 1) };
}

export function parseReplicaRecord(value: Buffer): ReplicaRecord {
  return replicaRecord.parse(JSON.parse(value.toString('utf8')));
}

export function parseEdgeLinkRecord(value: Buffer): EdgeLinkRecord {
  return edgeLinkRecord.parse(JSON.parse(value.toString('utf8')));
}
