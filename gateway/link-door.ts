import { codeOf, type CodedError, type Log } from '../base/index.ts';
import { tunnelError, type Link, type LinkBody, type Switch } from '../tunnel/index.ts';
import type { Audit } from './audit/index.ts';
import type { EdgeDirectory } from './edge-directory.ts';
import type { EdgeHello, EdgeRegistry } from './edge-registry.ts';
import { parseHello } from './hello.ts';
import type { LinkDoor, LinkGuest } from './link-listener.ts';
import type { Peer } from './peer.ts';
import { replicaId, type Peering } from './peers/index.ts';
import type { Revocations } from './revocation/index.ts';
import type { Router } from './router.ts';
import type { LinkCertificates } from './trust/index.ts';

export interface ReplicaDoorOptions {
  readonly directory: EdgeDirectory;
  readonly registry: EdgeRegistry;
  readonly revocations: Pick<Revocations, 'refusal'>;
  readonly router: Router;
  readonly peering: Pick<Peering, 'accepted' | 'left'>;
  readonly tunnelSwitch: Switch;
  readonly audit: Audit;
  readonly log: Log;
  /** What every WELCOME says. */
  readonly welcome: () => LinkBody;
  /** Which certificates the links of edges have. */
  readonly certificates: LinkCertificates;
  /** Something of an edge's certificate, or of what it trusts, has changed. */
  readonly onCertificate: (edge: string) => void;
  /** Told when a client's link comes or goes; of edges the registry tells. */
  readonly onClients: () => void;
}

const RETRY_MS = 30_000;

/**
 * Who gets a link to this replica, and what is joined to it: edges of the whitelist, and clients. What the handshake proved
 * decides, nothing that a HELLO says; and it decides again at HELLO and whenever the whitelist or a revocation changes.
 */
export class ReplicaDoor implements LinkDoor {
  readonly #options: ReplicaDoorOptions;

  constructor(options: ReplicaDoorOptions) {
    this.#options = options;
  }

  admit(peer: Peer): void {
    const { directory, revocations } = this.#options;
    const { identity, keyPin } = peer;
    const revoked = revocations.refusal(identity, peer);
    if (revoked !== undefined) throw revoked;
    if (identity.kind !== 'edge') return;
    if (directory.admission(identity.id) !== 'allowed') throw deniedError(identity.id);
    const pinned = directory.find(identity.id)?.spec.keyPin;
    if (pinned !== undefined && pinned !== keyPin) throw deniedError(`${identity.id} is pinned to another key`);
  }

  async greet(peer: Peer, body: LinkBody, link: Link): Promise<LinkGuest> {
    const { identity, principal } = peer;
    const hello = parseHello(identity.kind, body);
    this.admit(peer);
    if (identity.kind === 'replica') return this.#replicaGuest(replicaId(identity), link);
    if (identity.kind !== 'edge' || hello.role !== 'edge') return this.#clientGuest(peer, link);
    if (hello.edge !== undefined && hello.edge !== identity.id)
      throw tunnelError('denied', { detail: `the HELLO names ${hello.edge}, the certificate ${principal}` });
    const epoch = await this.#claimEpoch(identity.id, hello, link);
    // Something may have changed while the store was asked.
    this.admit(peer);
    this.#options.certificates.opened(link, peer, body);
    return this.#edgeGuest(peer, identity.id, hello, epoch, link);
  }

  expel(peer: Peer, link: Link, reason: CodedError): void {
    const { tunnelSwitch, audit, log } = this.#options;
    const { principal } = peer;
    // First the streams: their ends are to be told, and the link carries that.
    tunnelSwitch.cut(link, streamEnd(peer, reason));
    link.close(reason);
    log.warn('link-cut', { link: link.id, remote: link.remote, code: reason.code, reason: reason.message });
    audit.record({
      action: 'link-cut',
      outcome: 'done',
      principal,
      code: reason.code,
      reason: reason.message,
      remote: link.remote,
    });
  }

  /** Another replica knows of an instance of the edge with this epoch: an older one that is linked here is told. */
  supersede(edge: string, epoch: number): void {
    const { registry } = this.#options;
    const older = registry.find(edge);
    if (older === undefined || older.epoch >= epoch || older.links.length === 0) return;
    this.#conflict(edge, undefined, `one at another replica takes over from ${older.instance}, which is still linked`);
    registry.supersede(edge, epoch);
  }

  async #claimEpoch(edge: string, { instance, epoch }: EdgeHello, link: Link): Promise<number> {
    const { directory, registry } = this.#options;
    try {
      const claimed = await directory.claimEpoch(edge, instance, epoch);
      const older = registry.find(edge);
      // An agent that starts anew has left its links: those that are still there are of a second one.
      if (older !== undefined && older.instance !== instance && older.epoch < claimed && older.links.length > 0)
        this.#conflict(edge, link, `instance ${instance} takes over from ${older.instance}, which is still linked`);
      return claimed;
    } catch (error) {
      if (codeOf(error) === 'instance-superseded')
        this.#conflict(edge, link, `instance ${instance} comes back after a newer one has taken over`);
      throw error;
    }
  }

  /** Two agents show one identity: a copied certificate, or a machine that was cloned. */
  #conflict(edge: string, link: Link | undefined, reason: string): void {
    const { registry, audit, log } = this.#options;
    const others = registry.find(edge)?.links.map((other) => other.link.remote) ?? [];
    log.warn('instance-conflict', { edge, remote: link?.remote, others, reason });
    audit.record({
      action: 'instance-conflict',
      outcome: 'done',
      principal: `edge/${edge}`,
      edge,
      code: 'instance-superseded',
      reason: `${reason}; linked from ${[...new Set(others)].join(', ') || 'nowhere'}`,
      remote: link?.remote,
    });
  }

  #edgeGuest(peer: Peer, edge: string, hello: EdgeHello, epoch: number, link: Link): LinkGuest {
    const { registry, router, tunnelSwitch, welcome, certificates, onCertificate } = this.#options;
    return {
      welcome: { ...welcome(), epoch },
      opened: () => {
        link.streams = tunnelSwitch.attach(link);
        router.addEdge(link, peer);
        registry.add(edge, epoch, hello, link);
      },
      updated: (body) => {
        if (body['active'] === true) registry.activate(edge, link, turnIn(body));
        if (certificates.updated(link, body)) onCertificate(edge);
      },
      closed: () => {
        router.removeEdge(link);
        registry.remove(edge, link);
      },
    };
  }

  #replicaGuest(replica: string, link: Link): LinkGuest {
    const { router, peering, tunnelSwitch, welcome } = this.#options;
    return {
      welcome: welcome(),
      opened: () => {
        link.streams = tunnelSwitch.attach(link);
        router.addReplica(link);
        peering.accepted(replica, link);
      },
      updated: () => {},
      closed: () => {
        router.removeReplica(link);
        peering.left(replica, link);
      },
    };
  }

  #clientGuest(peer: Peer, link: Link): LinkGuest {
    const { router, tunnelSwitch, welcome, onClients } = this.#options;
    return {
      welcome: welcome(),
      opened: () => {
        link.streams = tunnelSwitch.attach(link);
        router.addClient(link, peer);
        onClients();
      },
      updated: () => {},
      closed: () => {
        router.removeClient(link);
        onClients();
      },
    };
  }
}

/** The agent's count of its choices; an agent that does not count chose once. */
function turnIn(body: LinkBody): number {
  const turn = body['turn'];
  return typeof turn === 'number' && Number.isSafeInteger(turn) && turn > 0 ? turn : 1;
}

/** What the ends of a stream are told: of an edge that is cut off nobody knows what it did of what was asked. */
function streamEnd({ identity }: Peer, reason: CodedError): CodedError {
  return identity.kind === 'edge' ? tunnelError('edge-cut', { detail: identity.id }) : reason;
}

function deniedError(detail: string): CodedError {
  return tunnelError('edge-denied', { detail, retryAfterMs: RETRY_MS });
}
