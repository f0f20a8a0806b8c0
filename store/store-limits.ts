import { storeError } from './store-error.ts';
import type { Txn } from './store.ts';

/**
 * What every store takes: below etcd's own defaults (128 operations, one of which is the store's own; 1.5 MiB a request), so
 * that none takes what another refuses.
 */
export const storeLimits = {
  maxKeyBytes: 1024,
  maxValueBytes: 1024 * 1024,
  maxTxnOps: 127,
  maxTxnBytes: 1024 * 1024 + 64 * 1024,
  /** What a timer takes: 24 days. */
  maxLeaseMs: 2 ** 31 - 1,
} as const;

/** Keys are printable ASCII without spaces, so that their order is one in every store and language. */
export function checkKey(key: string): void {
  const good = key.length > 0 && key.length <= storeLimits.maxKeyBytes && /^[\x21-\x7e]+$/.test(key);
  if (!good) throw storeError('store-invalid', `the key ${JSON.stringify(key.slice(0, 100))}`);
}

/** A prefix is the beginning of a key; the empty one stands for all. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix);
}

/** The first string behind all that begin with `prefix`: its last character is at most 0x7e. */
export function prefixEnd(prefix: string): string {
  if (prefix === '') return '\x7f';
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** Checks a transaction against the limits before anything is done for it. Throws `store-invalid`. */
export function checkTxn({ if: compares = [], then: ops }: Txn): void {
  if (compares.length > storeLimits.maxTxnOps || ops.length > storeLimits.maxTxnOps) {
    throw storeError('store-invalid', `more than ${storeLimits.maxTxnOps} comparisons or operations`);
  }
  for (const { key } of compares) checkKey(key);
  const written = new Set<string>();
  let bytes = 0;
  for (const op of ops) {
    checkKey(op.key);
    if (written.has(op.key)) throw storeError('store-invalid', `${op.key} is written twice`);
    written.add(op.key);
    if (op.type === 'delete') continue;
    if (op.value.length > storeLimits.maxValueBytes)
      throw storeError('store-invalid', `the value of ${op.key} is longer than ${storeLimits.maxValueBytes} bytes`);
    bytes += op.key.length + op.value.length;
  }
  if (bytes > storeLimits.maxTxnBytes)
    throw storeError('store-invalid', `a transaction of more than ${storeLimits.maxTxnBytes} bytes`);
}
