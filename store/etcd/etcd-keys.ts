import { prefixEnd } from '../store-limits.ts';
import type { Entry } from '../store.ts';
import type { KeyValue } from './etcd-protocol.ts';

/**
 * Where the store lies in etcd, whose keys others may share: `<root>/data` and behind it the store's keys, `<root>/receipts/` for
 * transactions, `<root>/leases/` for questions about leases.
 */
export class EtcdKeys {
  readonly #data: string;
  readonly #root: string;

  /** `root`: a key as the store takes them. */
  constructor(root: string) {
    this.#root = root;
    this.#data = `${root}/data`;
  }

  /** A key of the store, as etcd has it. */
  data(key: string): Buffer {
    return Buffer.from(this.#data + key, 'latin1');
  }

  /** The first key of etcd that is behind all keys of the store that begin with `prefix`. */
  dataEnd(prefix: string): Buffer {
    return Buffer.from(prefixEnd(this.#data + prefix), 'latin1');
  }

  receipt(number: number): Buffer {
    return Buffer.from(`${this.#root}/receipts/${number}`, 'latin1');
  }

  lease(id: string): Buffer {
    return Buffer.from(`${this.#root}/leases/${id}`, 'latin1');
  }

  /** A key of etcd, as the store has it. */
  parse(key: Buffer): string {
    return key.toString('latin1', this.#data.length);
  }

  entry({ key, value, createRevision, modRevision, lease }: KeyValue): Entry {
    return {
      key: this.parse(key),
      value,
      createRevision: Number(createRevision),
      modRevision: Number(modRevision),
      lease: lease === '0' ? undefined : lease,
    };
  }
}
