import { join } from 'node:path';
import { watchFiles, type Clock, type Log, type Timer } from '../../base/index.ts';
import { clientTls, clocklessTls, LiveKeyStore } from '../../certs/index.ts';
import {
  dialLink,
  tunnelError,
  type KindStreamOpener,
  type LinkBody,
  type Uplink,
  type UplinkEvent,
  type Wire,
} from '../../tunnel/index.ts';
import { ReplicaList } from '../replica-list.ts';
import { ControlClient } from './control-client.ts';
import { FleetTime } from './fleet-time.ts';
import { hostOf, PublicListenerClient } from './public-listener-client.ts';
import { Renewer } from './renewer.ts';
import { RevokedReplicas } from './revoked-replicas.ts';

export interface EdgeCredentialsOptions {
  /** The folder of the key store. */
  readonly keys: string;
  /** The file with the password of its key. */
  readonly keyPassword?: string | undefined;
  /** Where what is learned of public listeners is kept. */
  readonly data: string | undefined;
  /** Public listeners of replicas, as configured. */
  readonly publicListeners: readonly string[];
  /** The HTTP proxy for a target. */
  readonly proxy: (target: string) => string | undefined;
  readonly clock: Clock;
  /** Milliseconds since 1970, as this machine believes. */
  readonly wallClock: () => number;
  readonly log: Log;
}

/** What the agent shows to replicas and whom it trusts, and all that keeps it good while the agent runs. */
export class EdgeCredentials {
  readonly keys: LiveKeyStore;
  readonly #options: EdgeCredentialsOptions;
  readonly #time: FleetTime;
  readonly #publicListeners: ReplicaList;
  readonly #revoked: RevokedReplicas;
  #uplink: Uplink | undefined;
  #renewer: Renewer | undefined;
  #watching: Timer | undefined;

  /** Throws `key-store-missing`, `key-store-invalid`. */
  static async open(options: EdgeCredentialsOptions): Promise<EdgeCredentials> {
    const keys = await LiveKeyStore.open(options.keys, options.keyPassword);
    const publicListeners = new ReplicaList(options.publicListeners, options.data, 'public-listeners.json');
    await publicListeners.load();
    const revoked = await RevokedReplicas.open(options.data, options.wallClock);
    return new EdgeCredentials(options, keys, publicListeners, revoked);
  }

  private constructor(
    options: EdgeCredentialsOptions,
    keys: LiveKeyStore,
    publicListeners: ReplicaList,
    revoked: RevokedReplicas,
  ) {
    this.keys = keys;
    this.#options = options;
    this.#publicListeners = publicListeners;
    this.#revoked = revoked;
    this.#time = new FleetTime(options.clock, options.wallClock);
    this.#time.learn(keys.leaf);
  }

  /** Dials a link with what is good now. */
  dial(target: string): Promise<Wire> {
    const { keys } = this;
    const proxy = this.#options.proxy(target);
    // Node gives a certificate once: it is asked for here, or by `verify`.
    if (!this.#time.isBehind(keys.leaf))
      return dialLink(target, clientTls(keys), proxy, (socket) =>
        this.#revoked.check(target, socket.getPeerX509Certificate()),
      );
    const { tls, verify } = clocklessTls(keys, hostOf(target), this.#time.now);
    return dialLink(target, tls, proxy, (socket) => this.#revoked.check(target, verify(socket)));
  }

  /** Begins to renew, over the links of `uplink`. */
  start(edge: string, uplink: Uplink, opener: KindStreamOpener): void {
    const { clock, log, proxy } = this.#options;
    const { keys } = this;
    this.#uplink = uplink;
    this.#renewer = new Renewer({
      keys,
      time: this.#time,
      control: new ControlClient({ edge, opener, clock }),
      publicListener: new PublicListenerClient({ keys, time: this.#time, proxy }),
      publicTargets: () => this.#publicListeners.targets.map(({ address }) => address),
      hasLink: () => uplink.links.length > 0,
      onRenewed: () => uplink.renew(),
      onTrust: () => this.#tellTrust(),
      clock,
      log,
    });
    this.#renewer.start();
    this.#watching = watchFiles(clock, [join(this.#options.keys, 'cert.pem')], () => {
      this.reload().catch((error: unknown) => log.error('key-store-refused', { error }));
    });
  }

  /** What happens to the links. */
  onEvent(event: UplinkEvent): void {
    if (event.kind === 'failed') this.#renewer?.dialFailed();
    if (event.kind !== 'opened') return;
    this.#publicListeners.learn(event.welcome['publicListeners']);
    this.#renewer?.told(event.welcome);
    this.#learnRevoked(event.welcome['revokedReplicas']);
  }

  /** What a replica says on an open link. */
  onUpdate(body: LinkBody): void {
    this.#renewer?.told(body);
    if (body['revokedReplicas'] !== undefined) this.#learnRevoked(body['revokedReplicas']);
  }

  /** Reads the files of the key store again. Throws what is wrong with them; then what is in use stays. */
  async reload(): Promise<void> {
    const { keys } = this;
    const { serial } = keys.trust;
    if (!(await keys.reload())) return;
    this.#options.log.info('key-store-reloaded', {
      notAfter: keys.leaf.validToDate.toISOString(),
      trust: keys.trust.version,
    });
    this.#time.learn(keys.leaf);
    if (keys.trust.serial !== serial) this.#tellTrust();
    this.#uplink?.renew();
  }

  close(): void {
    this.#watching?.cancel();
    this.#renewer?.close();
  }

  /** A link with one that is revoked ends; what ran over it goes on over another. */
  #learnRevoked(said: unknown): void {
    if (!this.#revoked.learn(said)) return;
    for (const { link, target } of this.#uplink?.links ?? []) {
      if (!this.#revoked.hasAnswered(target)) continue;
      this.#options.log.warn('replica-revoked', { link: link.id, target });
      link.close(tunnelError('link-closed', { detail: 'this replica is revoked' }));
    }
  }

  /** Replicas show which roots each edge trusts. */
  #tellTrust(): void {
    for (const { link } of this.#uplink?.links ?? []) link.update({ trust: this.keys.trust.version });
  }
}
