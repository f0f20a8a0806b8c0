import type { CodedError } from '../base/index.ts';
import { identityName, type Identity } from '../certs/index.ts';
import { tunnelError, type Link, type LinkBody, type Switch } from '../tunnel/index.ts';
import type { EdgeDirectory } from './edge-directory.ts';
import type { EdgeHello, EdgeRegistry } from './edge-registry.ts';
import { parseHello } from './hello.ts';
import type { LinkDoor, LinkGuest } from './link-listener.ts';
import type { Router } from './router.ts';

export interface ReplicaDoorOptions {
  readonly directory: EdgeDirectory;
  readonly registry: EdgeRegistry;
  readonly router: Router;
  readonly tunnelSwitch: Switch;
  /** What every WELCOME says. */
  readonly welcome: LinkBody;
  /** Told when a client's link comes or goes; of edges the registry tells. */
  readonly onClients: () => void;
}

/** Who gets a link to this replica, and what is joined to it: edges of the whitelist, and clients. */
export class ReplicaDoor implements LinkDoor {
  readonly #options: ReplicaDoorOptions;

  constructor(options: ReplicaDoorOptions) {
    this.#options = options;
  }

  admit(identity: Identity, keyPin: string): void {
    if (identity.kind !== 'edge') return;
    const { directory } = this.#options;
    const pinned = directory.find(identity.id)?.spec.keyPin;
    if (directory.admission(identity.id) !== 'allowed' || (pinned !== undefined && pinned !== keyPin))
      throw deniedError(identity.id);
  }

  async greet(identity: Identity, body: LinkBody, link: Link): Promise<LinkGuest> {
    const { directory } = this.#options;
    const hello = parseHello(identity.kind, body);
    if (identity.kind !== 'edge' || hello.role !== 'edge') return this.#clientGuest(identityName(identity), link);
    const epoch = await directory.claimEpoch(identity.id, hello.instance, hello.epoch);
    // The whitelist may have changed while the store was asked.
    if (directory.admission(identity.id) !== 'allowed') throw deniedError(identity.id);
    return this.#edgeGuest(identity.id, hello, epoch, link);
  }

  #edgeGuest(edge: string, hello: EdgeHello, epoch: number, link: Link): LinkGuest {
    const { registry, tunnelSwitch, welcome } = this.#options;
    return {
      welcome: { ...welcome, epoch },
      opened: () => {
        link.streams = tunnelSwitch.attach(link);
        registry.add(edge, epoch, hello, link);
      },
      updated: (body) => {
        if (body['active'] === true) registry.activate(edge, link);
      },
      closed: () => registry.remove(edge, link),
    };
  }

  #clientGuest(principal: string, link: Link): LinkGuest {
    const { router, tunnelSwitch, welcome, onClients } = this.#options;
    return {
      welcome,
      opened: () => {
        link.streams = tunnelSwitch.attach(link);
        router.addClient(link, principal);
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

function deniedError(edge: string): CodedError {
  return tunnelError('edge-denied', { detail: edge, retryAfterMs: 30_000 });
}
