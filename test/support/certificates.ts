import { join } from 'node:path';
import {
  createFleetAuthority,
  type FleetAuthority,
  identityOf,
  issueFreshLeaf,
  type LeafRequest,
  parseTrustBundle,
  saveKeyStore,
  type TlsCredentials,
  type TrustBundle,
} from '../../certs/index.ts';

export type LeafOptions = Omit<LeafRequest, 'identity'>;

/** The certificates of a fleet that lives as long as a test: its root, its issuers, and whoever is asked for. */
export class TestFleet {
  readonly authority: FleetAuthority;
  readonly trust: TrustBundle;

  /** Two fleets of one trust domain have different roots: the way to make a certificate that must not be trusted. */
  static async create(trustDomain = 'fleet.test'): Promise<TestFleet> {
    return new TestFleet(await createFleetAuthority(trustDomain));
  }

  private constructor(authority: FleetAuthority) {
    this.authority = authority;
    this.trust = parseTrustBundle(authority.root.certPem);
  }

  get trustDomain(): string {
    return this.authority.root.trustDomain;
  }

  /**
   * What an end shows and trusts, by its name: `edge/edge-1`, `replica/site-a/r0`, `component/inventory`,
   * `operator/alice`. A replica listens on loopback unless `hosts` says otherwise; `at` and `validMs` make one that has
   * expired.
   */
  async credentials(name: string, options: LeafOptions = {}): Promise<TlsCredentials> {
    const identity = identityOf(this.trustDomain, name);
    const hosts = identity.kind === 'replica' ? { hosts: ['localhost', '127.0.0.1', '::1'] } : {};
    const leaf = await issueFreshLeaf(this.authority.issuers[identity.kind], { ...hosts, ...options, identity });
    return { chainPem: leaf.chainPem, keyPem: leaf.keyPem, trust: this.trust };
  }

  /** The same as the files of a key store, in a folder of its own below the given one; returns that folder. */
  async keyStore(folder: string, name: string, options: LeafOptions = {}): Promise<string> {
    const { chainPem, keyPem } = await this.credentials(name, options);
    const path = join(folder, name.replaceAll('/', '-'));
    await saveKeyStore(path, { chainPem, keyPem, trustPem: this.trust.pem });
    return path;
  }
}
