import { codedError, type CodeDetail, type CodedError, type CodeEntry } from '../base/index.ts';

/** The closed table of what can go wrong in a store. `docs/errors.md` repeats it. */
export const storeCodes = {
  'compacted': {
    status: 410,
    retryable: false,
    text: 'the history from that revision on is no longer kept',
    fix: 'read everything again, then watch from there',
  },
  'lease-unknown': { status: 404, retryable: false, text: 'the lease has ended', fix: 'grant a new one' },
  'store-invalid': {
    status: 400,
    retryable: false,
    text: 'the store does not take this',
    fix: 'report it: this is a fault in the caller',
  },
  'store-closed': {
    status: 503,
    retryable: true,
    text: 'the store is closed',
    fix: 'nothing to do: the process is shutting down',
  },
  'store-locked': {
    status: 503,
    retryable: false,
    text: 'another process has the store open',
    fix: 'stop the other process, or use etcd for more than one replica',
  },
  'store-corrupt': {
    status: 500,
    retryable: false,
    text: 'the file of the store is damaged, or it is none',
    fix: 'restore the file from a backup, or move it away to start empty',
  },
  'store-format': {
    status: 500,
    retryable: false,
    text: 'the file of the store has a format that this version does not know',
    fix: 'use the version that wrote it, or a newer one',
  },
  'store-failed': {
    status: 503,
    retryable: false,
    text: 'the store cannot be read or written',
    fix: 'look at the disk: space, permissions, errors',
  },
  'store-unavailable': {
    status: 503,
    retryable: true,
    text: 'no etcd member that a majority follows answers; nothing was changed',
    fix: 'nothing, if etcd elects a leader; else look at its members: decisions wait for a majority, all else goes on',
  },
  'store-outcome-unknown': {
    status: 503,
    retryable: false,
    text: 'etcd did not answer, so the change may have been made or not',
    fix: 'read what is there now, then decide',
  },
  'store-refused': {
    status: 503,
    retryable: false,
    text: 'etcd does not let this replica in',
    fix: 'check `store.etcd.user`, its password, and that its role may read and write all keys under `store.etcd.prefix`',
  },
  'store-full': {
    status: 503,
    retryable: false,
    text: 'etcd has reached its quota and takes no changes',
    fix: 'compact and defragment etcd, then disarm its alarm: docs/operations.md',
  },
  'store-went-back': {
    status: 410,
    retryable: false,
    text: 'the revisions of etcd went back: it was restored from a backup, or it is another cluster',
    fix: 'read everything again, then watch from there; restart the replicas after a restore',
  },
} as const satisfies Record<string, CodeEntry>;

export type StoreCode = keyof typeof storeCodes;

/** An error of the table of `store/`. */
export function storeError(code: StoreCode, detail?: string, cause?: unknown, retryAfterMs?: number): CodedError {
  const known: CodeDetail = {
    ...(detail === undefined ? {} : { detail }),
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  return codedError(code, storeCodes[code], known);
}
