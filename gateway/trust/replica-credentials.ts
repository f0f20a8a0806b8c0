import type { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { watchFiles, type Clock, type Log, type Timer } from '../../base/index.ts';
import {
  fingerprintOfRoot,
  issuerKeyId,
  LiveKeyStore,
  parseChain,
  parseTrustBundle,
  verifyTrustUpdate,
  type TrustBundle,
} from '../../certs/index.ts';
import { CollectionMirror } from '../collection-mirror.ts';
import { trustBundleName, type ReplicaFacts } from '../fleet/index.ts';
import type { Collection } from '../../resources/index.ts';
import { EdgeIssuer, type EdgeIssuerOptions } from './edge-issuer.ts';

export interface ReplicaCredentialsOptions {
  /** The folder of the replica's key store. */
  readonly keys: string;
  /** The file with the password of its key. */
  readonly keyPassword?: string | undefined;
  readonly issuer: (EdgeIssuerOptions['files'] & { readonly validMs: number }) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a replica tells all who have a link to it. */
export interface TrustNews {
  /** `TrustBundle.version` of the roots that the fleet trusts. */
  readonly trust: string;
  /** The issuer that edges are to have their certificates from; missing: any. */
  readonly issuer?: string;
}

/**
 * What a replica shows and trusts, and what it issues with: as they are in its files, and as the fleet's TrustBundle says. Files that
 * change are read again; what is broken, or signed by nobody, is logged, and what was there stays in use.
 */
export class ReplicaCredentials {
  readonly keys: LiveKeyStore;
  readonly issuer: EdgeIssuer;
  readonly #options: ReplicaCredentialsOptions;
  readonly #watching: Timer;
  readonly #listeners: (() => void)[] = [];
  #mirror: CollectionMirror | undefined;
  #wantedIssuer: string | undefined;
  #retired: TrustBundle | undefined;

  /** Throws `key-store-missing`, `key-store-invalid`, `trust-invalid`. */
  static async open(options: ReplicaCredentialsOptions): Promise<ReplicaCredentials> {
    const keys = await LiveKeyStore.open(options.keys, options.keyPassword);
    const { issuer: files } = options;
    const issuer = await EdgeIssuer.open({ files, validMs: files?.validMs ?? 0, trust: () => keys.trust });
    return new ReplicaCredentials(options, keys, issuer);
  }

  private constructor(options: ReplicaCredentialsOptions, keys: LiveKeyStore, issuer: EdgeIssuer) {
    this.#options = options;
    this.keys = keys;
    this.issuer = issuer;
    const files = [join(options.keys, 'cert.pem'), ...issuer.files];
    this.#watching = watchFiles(options.clock, files, () => void this.reload().catch(() => undefined));
  }

  /** Whom renewals are believed from besides those that are trusted. */
  get renewalTrust(): TrustBundle {
    const { trust } = this.keys;
    // Whoever writes the store can name any root: only those that the bundle's signatures name count.
    const retired = (this.#retired?.roots ?? []).filter((root) => trust.retired.includes(fingerprintOfRoot(root)));
    return retired.length === 0 ? trust : { ...trust, roots: [...trust.roots, ...retired] };
  }

  /** The issuer that edges are to have; undefined: whichever a replica has. */
  get wantedIssuer(): string | undefined {
    return this.#wantedIssuer;
  }

  get news(): TrustNews {
    const { trust } = this.keys;
    const issuer = this.#wantedIssuer;
    // A replica that has not got the new key yet sends nobody to a renewal that it would refuse.
    return { trust: trust.version, ...(issuer === undefined || issuer !== this.issuer.keyId ? {} : { issuer }) };
  }

  /** The issuers that this replica knows, of edges and of replicas, as far as a trusted root vouches for them. */
  get vouchedIssuers(): readonly X509Certificate[] {
    const { trust, chainPem } = this.keys;
    return [this.issuer.certificate, parseChain(chainPem).issuer]
      .filter((issuer) => issuer !== undefined)
      .filter((issuer) => trust.roots.some((root) => issuer.checkIssued(root) && issuer.verify(root.publicKey)));
  }

  /** Called when a root has left those that are trusted. */
  onRootLeft(listener: () => void): void {
    let before = this.#fingerprints;
    this.keys.onChange(() => {
      const now = this.#fingerprints;
      const hasLeft = [...before].some((root) => !now.has(root));
      before = now;
      if (hasLeft) listener();
    });
  }

  /** For the replica's own object. */
  get shown(): Pick<ReplicaFacts, 'certificate' | 'edgeIssuer'> {
    const { leaf, trust } = this.keys;
    const certificate = {
      notAfter: leaf.validToDate.toISOString(),
      issuer: issuerKeyId(leaf),
      trustVersion: trust.version,
    };
    return { certificate, edgeIssuer: this.issuer.keyId };
  }

  /** Called when `news` may have changed. */
  onNews(listener: () => void): void {
    this.#listeners.push(listener);
    this.keys.onChange(listener);
  }

  /** Follows the fleet's TrustBundle. */
  async follow(bundles: Collection): Promise<void> {
    const { log } = this.#options;
    this.#mirror = await CollectionMirror.open({
      collection: bundles,
      onPut: (name, object) => {
        if (name === trustBundleName) this.#apply(object);
      },
      // Whoever takes it away does not take anybody's trust.
      onGone: () => undefined,
      onFault: (error) => log.error('trust-refused', { error }),
    });
  }

  /** Why this replica would not take a bundle; undefined when it would, or has. */
  refusalOf(bundle: string): string | undefined {
    const { trust } = this.keys;
    if (parseTrustBundle(bundle).version !== trust.version) verifyTrustUpdate(trust, bundle);
    return undefined;
  }

  /** Reads all files again. Throws what is wrong with them, after the log has it; then what is in use stays. */
  async reload(): Promise<void> {
    const { log } = this.#options;
    const { keys, issuer } = this;
    try {
      if (await keys.reload())
        log.info('key-store-reloaded', { notAfter: keys.leaf.validToDate.toISOString(), trust: keys.trust.version });
      if (await issuer.reload()) {
        log.info('issuer-reloaded', { issuer: issuer.keyId });
        this.#changed();
      }
    } catch (error) {
      log.error('key-store-refused', { error });
      throw error;
    }
  }

  close(): void {
    this.#watching.cancel();
    this.#mirror?.close();
  }

  #apply(object: unknown): void {
    // The schema has checked it when it was written.
    const { spec } = object as {
      readonly spec: { readonly bundle: string; readonly retired?: string; readonly issuer?: string };
    };
    const { keys } = this;
    this.#wantedIssuer = spec.issuer;
    this.#retired = spec.retired === undefined ? undefined : parseTrustBundle(spec.retired);
    this.#changed();
    if (parseTrustBundle(spec.bundle).serial <= keys.trust.serial) return;
    keys.acceptTrust(spec.bundle).then(
      () => this.#options.log.info('trust-updated', { version: keys.trust.version }),
      (error: unknown) => this.#options.log.error('trust-refused', { error }),
    );
  }

  get #fingerprints(): ReadonlySet<string> {
    return new Set(this.keys.trust.roots.map(fingerprintOfRoot));
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
