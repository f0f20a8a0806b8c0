import { createPrivateKey, type X509Certificate } from 'node:crypto';

import { certError } from './cert-error.ts';
import { checkChain, parseChain } from './chain-check.ts';
import { identityKinds, identityName, type Identity } from './identity.ts';
import { loadKeyStore, saveKeyStore, saveTrust, type KeyStore, type KeyStoreContent } from './key-store.ts';
import { verifyTrustUpdate, type TrustBundle } from './trust-bundle.ts';

/**
 * A key store that is replaced while it is in use. Its members are those of the newest that is good: who dials reads them at each
 * dial, who listens hears of a change and calls `server.setSecureContext(secureContextOf(store))`. What is refused leaves
 * the old one in use. Changes follow one another, in the order of the calls.
 */
export class LiveKeyStore implements KeyStore {
  readonly directory: string;
  #current: KeyStore;
  #last: Promise<unknown> = Promise.resolve();
  readonly #listeners = new Set<() => void>();

  /** Throws `key-store-missing`, `key-store-invalid`. */
  static async open(directory: string, passwordFile?: string): Promise<LiveKeyStore> {
    return new LiveKeyStore(directory, await loadKeyStore(directory, passwordFile));
  }

  private constructor(directory: string, current: KeyStore) {
    this.directory = directory;
    this.#current = current;
  }

  get current(): KeyStore {
    return this.#current;
  }

  get chainPem(): string {
    return this.#current.chainPem;
  }

  get keyPem(): string {
    return this.#current.keyPem;
  }

  get trust(): TrustBundle {
    return this.#current.trust;
  }

  get identity(): Identity {
    return this.#current.identity;
  }

  get leaf(): X509Certificate {
    return this.#current.leaf;
  }

  /** Called after each change. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Takes a new key and its certificate, and saves them, crash-safely. Throws `key-store-invalid` for what is not this identity's, or
   * what no trusted root vouches for: then nothing is written.
   */
  replace({ chainPem, keyPem }: Pick<KeyStoreContent, 'chainPem' | 'keyPem'>): Promise<void> {
    return this.#inTurn(async () => {
      const { trust } = this;
      const { leaf, identity } = this.#checked(chainPem, keyPem, trust);
      const { passwordFile } = this.#current;
      await saveKeyStore(this.directory, { chainPem, keyPem, trustPem: trust.text }, passwordFile);
      this.#take({ ...this.#current, chainPem, keyPem, trust, leaf, identity });
    });
  }

  /**
   * Takes the roots that a replica, or whoever, says are the fleet's now. Those that are here already are no news. Throws
   * `trust-invalid` when they are not newer, or no root that is trusted now has signed them.
   */
  acceptTrust(text: string): Promise<void> {
    return this.#inTurn(async () => {
      // Two have brought the same.
      if (text === this.trust.text) return;
      const trust = verifyTrustUpdate(this.trust, text);
      await saveTrust(this.directory, text);
      this.#take({ ...this.#current, trust });
    });
  }

  /**
   * Reads the files again. False when they hold what is in use. Throws `key-store-missing`, `key-store-invalid`: also for another
   * identity than the process has, a certificate that has expired, and one that none of the roots vouches for.
   */
  reload(): Promise<boolean> {
    return this.#inTurn(async () => {
      const next = await loadKeyStore(this.directory, this.#current.passwordFile);
      const { chainPem, keyPem, trust } = this.#current;
      if (next.chainPem === chainPem && next.keyPem === keyPem && next.trust.text === trust.text) return false;
      this.#checked(next.chainPem, next.keyPem, next.trust);
      if (next.leaf.validToDate.getTime() < Date.now())
        throw certError('key-store-invalid', `${this.directory}: its certificate has expired`);
      this.#take(next);
      return true;
    });
  }

  /** What a certificate and its key come to, whatever the time is. */
  #checked(chainPem: string, keyPem: string, trust: TrustBundle): Pick<KeyStore, 'leaf' | 'identity'> {
    const running = this.identity;
    try {
      const { leaf, issuer } = parseChain(chainPem);
      if (!leaf.checkPrivateKey(createPrivateKey(keyPem))) throw new Error('the key is not that of the certificate');
      const now = leaf.validToDate.getTime();
      const identity = checkChain(leaf, issuer, { trust, kinds: identityKinds, now });
      if (identityName(identity) !== identityName(running))
        throw new Error(
          `it is of ${identityName(identity)}, and ${identityName(running)} runs: restart to change that`,
        );
      return { leaf, identity };
    } catch (error) {
      throw certError('key-store-invalid', this.directory, error);
    }
  }

  #take(next: KeyStore): void {
    this.#current = next;
    for (const listener of this.#listeners) listener();
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
