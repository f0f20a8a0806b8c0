import { randomBytes, randomInt } from 'node:crypto';

import { storeError } from '../store-error.ts';
import type { Op, Txn, TxnResult } from '../store.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { CallOptions, CallResult } from './etcd-members.ts';
import type { KeyValue, RequestOp, TxnRequest, TxnResponse } from './etcd-protocol.ts';

/** Receipts of all processes together: few enough that they may stay for good, many enough that two rarely meet at one. */
const receiptCount = 1024;

/** A key of etcd that a transaction writes besides its own. */
interface Receipt {
  readonly key: Buffer;
  /** The revision that last wrote it, as far as this process knows; 0: nothing has. */
  revision: number;
}

export type CallTxn = (request: TxnRequest, options: CallOptions) => Promise<CallResult<TxnResponse>>;

/**
 * Transactions that may be tried again when a member was silent: each is applied once or not at all, also when an earlier try
 * reaches etcd late.
 *
 * A transaction compares its receipt's revision and writes the receipt with a value of its own. So of several tries only one can
 * be applied, and who finds the value there knows that one was. A receipt that another process has used meanwhile only
 * costs one more try.
 */
export class EtcdTxns {
  readonly #keys: EtcdKeys;
  readonly #call: CallTxn;
  readonly #free: Receipt[] = [];
  readonly #process = randomBytes(8).toString('hex');
  #count = 0;

  constructor(keys: EtcdKeys, call: CallTxn) {
    this.#keys = keys;
    this.#call = call;
  }

  /** `until`: the end of the call, by the clock. Throws `store-outcome-unknown` and what the call throws. */
  async run(txn: Txn, until: number): Promise<TxnResult> {
    if (!alwaysChanges(txn)) return this.#runOnce(txn, until);
    const receipt = this.#free.pop() ?? { key: this.#keys.receipt(randomInt(receiptCount)), revision: 0 };
    const result = await this.#runWith(receipt, txn, until);
    // Where the outcome is not known the receipt is not used again: a late try may still write it.
    this.#free.push(receipt);
    return result;
  }

  /** Deletes alone, of keys that may be absent: they must not make a revision, so a receipt cannot be written with them. */
  async #runOnce(txn: Txn, until: number): Promise<TxnResult> {
    const effect = txn.then.length === 0 ? 'none' : 'once';
    const { response } = await this.#call(this.#request(txn), { until, effect });
    const revision = Number(response.header.revision);
    if (response.succeeded) return { applied: true, revision };
    return { applied: false, revision, found: this.#found(txn, response.responses) };
  }

  async #runWith(receipt: Receipt, txn: Txn, until: number): Promise<TxnResult> {
    const value = this.#uniqueValue();
    let doubtful = false;
    for (;;) {
      const { response, ...call } = await this.#call(this.#request(txn, receipt, value), { until, effect: 'safe' });
      doubtful ||= call.doubtful;
      const revision = Number(response.header.revision);
      if (response.succeeded) {
        receipt.revision = revision;
        return { applied: true, revision };
      }
      const written = response.responses[0]?.range?.kvs[0];
      const writtenAt = Number(written?.modRevision ?? 0);
      if (written?.value.equals(value) === true) {
        receipt.revision = writtenAt;
        return { applied: true, revision: writtenAt };
      }
      const isOwn = writtenAt === receipt.revision;
      receipt.revision = writtenAt;
      // A late try could find the comparisons true again, where a key was absent, is there now and will be deleted.
      if (isOwn && (!doubtful || (await this.#void(receipt, until))))
        return { applied: false, revision, found: this.#found(txn, response.responses.slice(1)) };
      // Another process has written over the receipt, and perhaps over what an earlier try had written.
      if (!isOwn && doubtful) throw storeError('store-outcome-unknown', undefined, undefined, 1_000);
    }
  }

  /** Writes the receipt, so that no try that is still on its way is applied. False: one was, in between. */
  async #void(receipt: Receipt, until: number): Promise<boolean> {
    const value = this.#uniqueValue();
    const { response } = await this.#call(this.#request({ then: [] }, receipt, value), { until, effect: 'safe' });
    const written = response.responses[0]?.range?.kvs[0];
    if (!response.succeeded && written?.value.equals(value) !== true) return false;
    receipt.revision = Number(response.succeeded ? response.header.revision : written?.modRevision);
    return true;
  }

  #uniqueValue(): Buffer {
    return Buffer.from(`${this.#process}-${this.#count++}`);
  }

  #request(txn: Txn, receipt?: Receipt, value: Buffer = Buffer.alloc(0)): TxnRequest {
    const compares = (txn.if ?? []).map(({ key, modRevision }) => ({ key: this.#keys.data(key), modRevision }));
    const compare =
      receipt === undefined ? compares : [{ key: receipt.key, modRevision: receipt.revision }, ...compares];
    const success = txn.then.map((op) => this.#requestOf(op));
    if (receipt !== undefined) success.push({ put: { key: receipt.key, value } });
    return {
      compare: compare.map(({ key, modRevision }) => ({ target: 'MOD', key, modRevision })),
      success,
      failure: compare.map(({ key }) => ({ range: { key } })),
    };
  }

  #requestOf(op: Op): RequestOp {
    const key = this.#keys.data(op.key);
    if (op.type === 'delete') return { delete: { key } };
    return { put: { key, value: op.value, ...(op.lease === undefined ? {} : { lease: op.lease }) } };
  }

  #found({ if: compares = [] }: Txn, responses: TxnResponse['responses']) {
    return compares.map((_, index) => {
      const found: KeyValue | undefined = responses[index]?.range?.kvs[0];
      return found === undefined ? undefined : this.#keys.entry(found);
    });
  }
}

/** When it is applied, it makes a revision. */
function alwaysChanges({ if: compares = [], then }: Txn): boolean {
  return then.some(
    (op) => op.type === 'put' || compares.some(({ key, modRevision }) => key === op.key && modRevision > 0),
  );
}
