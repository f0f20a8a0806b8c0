import { readFileSync } from 'node:fs';

import { CodedError, messageOf, type Clock } from '../base/index.ts';
import { openEmbeddedStore } from './embedded-store.ts';
import { storeError } from './store-error.ts';
import type { Store } from './store.ts';

/** Where a replica's decisions are kept: in the file `path`, or in etcd. One of them is there. Paths are taken as they are. */
export interface StoreConfig {
  readonly path?: string | undefined;
  readonly etcd?: EtcdConfig | undefined;
}

export interface EtcdConfig {
  /** `http://host:port` or `https://host:port` of every member, the nearest first. */
  readonly endpoints: readonly string[];
  /** PEM files: who signed the members' certificates (default: the system's roots), and this replica's own. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | undefined;
  /** The file with the user's password; white space at its end does not count. */
  readonly passwordFile?: string | undefined;
  /** All of the fleet's keys in etcd begin with this and `/`. Default `/causeway`. */
  readonly prefix?: string | undefined;
}

export interface OpenStoreOptions {
  readonly clock?: Clock;
  /** How long it waits for etcd to have a leader, ms. Default 10,000. */
  readonly openWithinMs?: number;
  /** Told of each time that a watch has lost its member of etcd and goes on at another. */
  readonly onFault?: (error: Error) => void;
}

/**
 * Opens the store that the configuration names. Throws `store-unavailable` when etcd has no leader, `store-refused` when it does not
 * know the user, `store-failed` for a file that cannot be read or used, and what the embedded store throws.
 */
export async function openStore(
  config: StoreConfig,
  { clock, openWithinMs, onFault }: OpenStoreOptions = {},
): Promise<Store> {
  const { path, etcd } = config;
  if (etcd === undefined) {
    if (path === undefined) throw storeError('store-invalid', 'a store of neither path nor etcd');
    return openEmbeddedStore({ file: path, ...(clock === undefined ? {} : { clock }) });
  }
  const { endpoints, ca, cert, key, user, passwordFile, prefix } = etcd;
  const tls = () => ({
    ...(ca === undefined ? {} : { ca: read(ca) }),
    ...(cert === undefined ? {} : { cert: read(cert) }),
    ...(key === undefined ? {} : { key: read(key) }),
  });
  const password = (): string => (passwordFile === undefined ? '' : read(passwordFile).toString().trimEnd());
  // Only where it is used: an agent has the embedded store, and no need of gRPC.
  const { openEtcdStore } = await import('./etcd/etcd-store.ts');
  try {
    return await openEtcdStore({
      endpoints,
      tls,
      ...(user === undefined ? {} : { user: { name: user, password } }),
      ...(prefix === undefined ? {} : { prefix }),
      ...(clock === undefined ? {} : { clock }),
      ...(openWithinMs === undefined ? {} : { openWithinMs }),
      ...(onFault === undefined ? {} : { onFault }),
    });
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw storeError('store-failed', `the certificates for etcd: ${messageOf(error)}`, error);
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw storeError('store-failed', messageOf(error), error);
  }
}
