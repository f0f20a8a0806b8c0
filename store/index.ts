export { openEmbeddedStore, type EmbeddedStoreOptions } from './embedded-store.ts';
export { openStore, type EtcdConfig, type OpenStoreOptions, type StoreConfig } from './open-store.ts';
export { storeCodes, storeError, type StoreCode } from './store-error.ts';
export { storeLimits } from './store-limits.ts';
export type {
  Compare,
  Entry,
  EventBatch,
  Lease,
  Op,
  Range,
  Store,
  StoreEvent,
  Txn,
  TxnResult,
  Watch,
  WatchOptions,
} from './store.ts';
