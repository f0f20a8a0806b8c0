import { initialEdgeStatus, type EdgeCondition, type EdgeLinkStatus, type EdgeNodeStatus } from '../../api/index.ts';
import type { EdgePresence } from '../edge-registry.ts';

/** While an edge is online its `lastContact`, and the round trips of its links, are no older than this in the store. */
export const REFRESH_MS = 5 * 60_000;

/** What a replica knows of an edge's cache. */
export interface CacheObservation {
  /** The feed is open. */
  readonly isConnected: boolean;
  /** Every kind that is fed is held, all of it. */
  readonly isComplete: boolean;
  /** What the agent says is wrong with its API. */
  readonly problem?: { readonly reason: string; readonly message: string } | undefined;
}

export interface ObservedCertificate {
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  readonly issuer: string;
  readonly keyPin: string;
  readonly serial: string;
  readonly trust: string;
}

export interface EdgeObservation {
  /** Missing: it had no link to this replica since the replica started. */
  readonly presence?: EdgePresence | undefined;
  /** Of the active link; missing: it is not here. */
  readonly certificate?: ObservedCertificate | undefined;
  /** Missing: it feeds nothing. */
  readonly cache?: CacheObservation | undefined;
  /** `site/name` of the replica that observes. */
  readonly replica: string;
  /** Whether another replica is there: the links of those that are not are gone. Default: all are. */
  readonly isThere?: ((replica: string) => boolean) | undefined;
  /** The active link is at another replica. */
  readonly isElsewhere?: boolean | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * The status of an edge after what a replica sees of it. What other replicas wrote of their links stays. Returns `current`
 * itself while nothing has changed that anybody would act on: round trips and the time of the last contact change all the time, and
 * each write is one to the store.
 */
export function nextEdgeStatus(current: EdgeNodeStatus | undefined, seen: EdgeObservation): EdgeNodeStatus {
  const old = { ...initialEdgeStatus(), ...current };
  const { presence, certificate, replica, now, isThere = () => true } = seen;
  const own = linksOf(presence, seen);
  const others = old.links.filter((link) => link.replica !== replica && isThere(link.replica));
  const links = [...others, ...own];
  const online = links.length > 0;
  const isLatest = presence !== undefined && presence.epoch >= old.epoch;
  const conditions = conditionsOf(old.conditions ?? [], online, seen);
  const next: EdgeNodeStatus = {
    ...old,
    online,
    links,
    lastContact: later(old.lastContact, own.length > 0 ? now : presence?.lastContact),
    ...(isLatest
      ? {
          instance: presence.instance,
          epoch: presence.epoch,
          services: [...presence.services],
          agentVersion: presence.agentVersion,
        }
      : {}),
    ...(certificate === undefined
      ? {}
      : {
          certificate: {
            notAfter: new Date(certificate.notAfter).toISOString(),
            issuer: certificate.issuer,
            keyPin: certificate.keyPin,
            serial: certificate.serial,
            trustVersion: certificate.trust,
          },
        }),
    conditions,
  };
  const isDue = own.length > 0 && (old.lastContact === null || now - Date.parse(old.lastContact) >= REFRESH_MS);
  if (current !== undefined && !isDue && isSame(old, next, own.length > 0)) return current;
  return next;
}

function linksOf(
  presence: EdgePresence | undefined,
  { replica, isElsewhere = false }: EdgeObservation,
): EdgeLinkStatus[] {
  return (presence?.links ?? []).map(({ link, active, since }) => ({
    id: link.id,
    replica,
    active: active && !isElsewhere,
    since: new Date(since).toISOString(),
    rttMs: link.stats.rttMs === undefined ? null : Math.round(link.stats.rttMs * 1000) / 1000,
    remote: link.remote,
  }));
}

function conditionsOf(
  old: readonly EdgeCondition[],
  online: boolean,
  { cache, now }: EdgeObservation,
): EdgeCondition[] {
  const conditions: Omit<EdgeCondition, 'lastTransitionTime'>[] = [
    online
      ? { type: 'Online', status: 'True', reason: 'Linked' }
      : { type: 'Online', status: 'False', reason: 'NoLink', message: 'no replica has a link to the edge' },
  ];
  if (cache !== undefined) conditions.push(syncedCondition(cache), healthCondition(cache));
  return conditions.map((condition) => {
    const before = old.find(({ type }) => type === condition.type);
    const lastTransitionTime =
      before?.status === condition.status ? before.lastTransitionTime : new Date(now).toISOString();
    return { ...condition, lastTransitionTime };
  });
}

function syncedCondition({
  isConnected,
  isComplete,
  problem,
}: CacheObservation): Omit<EdgeCondition, 'lastTransitionTime'> {
  const type = 'CacheSynced';
  if (!isConnected) return { type, status: 'False', reason: 'NoContact', message: 'cached reads show an older state' };
  if (!isComplete) return { type, status: 'False', reason: 'Syncing', message: 'not everything has come yet' };
  if (problem !== undefined)
    return { type, status: 'False', reason: 'ApiFailing', message: problem.message.slice(0, 1024) };
  return { type, status: 'True', reason: 'Synced' };
}

function healthCondition({ isConnected, problem }: CacheObservation): Omit<EdgeCondition, 'lastTransitionTime'> {
  const type = 'KubeHealthy';
  if (!isConnected) return { type, status: 'Unknown', reason: 'NoContact' };
  if (problem === undefined) return { type, status: 'True', reason: 'Answering' };
  return {
    type,
    status: 'False',
    reason: problem.reason.slice(0, 64) || 'Failing',
    message: problem.message.slice(0, 1024),
  };
}

/** Whether the two say the same; the first round trip of a link counts, later ones do not. */
function isSame(old: EdgeNodeStatus, next: EdgeNodeStatus, isLinkedHere: boolean): boolean {
  const known = ({ links }: EdgeNodeStatus): unknown => links.map((link) => ({ ...link, rttMs: link.rttMs === null }));
  const plain = (status: EdgeNodeStatus): string =>
    // While there is a link the last contact is now, always.
    JSON.stringify({ ...status, links: known(status), lastContact: isLinkedHere ? '' : status.lastContact });
  return plain(old) === plain(next);
}

function later(known: string | null, ms: number | undefined): string | null {
  if (ms === undefined) return known;
  return known !== null && Date.parse(known) >= ms ? known : new Date(ms).toISOString();
}
