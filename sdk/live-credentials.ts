import { join } from 'node:path';
import { trustPath } from '../api/index.ts';
import { watchFiles, type Clock, type Timer } from '../base/index.ts';
import type { LiveKeyStore } from '../certs/index.ts';
import type { LinkBody } from '../tunnel/index.ts';
import type { Api } from './api-client.ts';

export interface LiveCredentialsOptions {
  readonly keys: LiveKeyStore;
  readonly api: Pick<Api, 'request'>;
  readonly clock: Clock;
  /** Another certificate is there: links with it are to take the place of the old ones. */
  readonly onCertificate: () => void;
}

/**
 * Keeps a client's key store up to date while the client runs: takes the fleet's trust bundle when a replica says that there is a newer
 * one, if a root that is trusted already has signed it, and a new certificate when somebody puts it into the folder.
 */
export class LiveCredentials {
  readonly #options: LiveCredentialsOptions;
  readonly #watching: Timer;
  #fetching = false;

  constructor(options: LiveCredentialsOptions) {
    this.#options = options;
    const { keys, clock } = options;
    this.#watching = watchFiles(clock, [join(keys.directory, 'cert.pem')], () => {
      // What cannot be used is whole a moment later, or the old one goes on.
      void this.#reload().catch(() => undefined);
    });
  }

  /** What a replica says, in WELCOME and later. */
  told({ trust }: LinkBody): void {
    if (typeof trust !== 'string' || Number.parseInt(trust, 10) <= this.#options.keys.trust.serial || this.#fetching)
      return;
    this.#fetching = true;
    // It is said again with the next link.
    void this.#fetch()
      .catch(() => undefined)
      .finally(() => {
        this.#fetching = false;
      });
  }

  close(): void {
    this.#watching.cancel();
  }

  async #fetch(): Promise<void> {
    const { keys, api } = this.#options;
    const { status, body } = await api.request('GET', trustPath);
    if (status === 200) await keys.acceptTrust(body.toString('utf8'));
  }

  async #reload(): Promise<void> {
    const { keys, onCertificate } = this.#options;
    const { chainPem } = keys;
    await keys.reload();
    if (keys.chainPem !== chainPem) onCertificate();
  }
}
