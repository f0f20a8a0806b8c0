import { storeCodes, storeError, type StoreCode } from '../store-error.ts';

/**
 * Why a call to one member failed, where another try may succeed.
 * - `refused`: nothing was done; another member, or the same one later, may do it.
 * - `silent`: nobody knows whether it was done: the connection or the time was at its end.
 * - `token`: the token is not valid, or not any more.
 * - `auth-off`: etcd has no users.
 */
export class EtcdFailure extends Error {
  readonly type: 'refused' | 'silent' | 'token' | 'auth-off';

  constructor(type: EtcdFailure['type'], message: string) {
    super(message);
    this.type = type;
  }
}

/** The numbers of gRPC's status codes that are told apart here: https://grpc.io/docs/guides/status-codes/ */
const status = { invalidArgument: 3, permissionDenied: 7, resourceExhausted: 8, unauthenticated: 16 } as const;

/** etcd tells its errors apart by their text: api/v3rpc/rpctypes/error.go. The last four are grpc-js's: nothing was sent. */
const meanings: readonly (readonly [text: string, meaning: StoreCode | EtcdFailure['type']])[] = [
  ['required revision has been compacted', 'compacted'],
  ['required revision is a future revision', 'store-invalid'],
  ['requested lease not found', 'lease-unknown'],
  ['database space exceeded', 'store-full'],
  ['permission denied', 'store-refused'],
  ['authentication failed', 'store-refused'],
  ['authentication is not enabled', 'auth-off'],
  ['invalid auth token', 'token'],
  // A user or a role has changed since the token was made.
  ['revision of auth store is old', 'token'],
  // Users were turned on while this process ran without a token.
  ['user name is empty', 'token'],
  ['no leader', 'refused'],
  ['not leader', 'refused'],
  ['raft proposal dropped', 'refused'],
  ['too many requests', 'refused'],
  ['not capable', 'refused'],
  ['No connection established', 'refused'],
  ['Name resolution failed', 'refused'],
  ['Channel closed before call started', 'refused'],
  ['Channel has been shut down', 'refused'],
];

/** The error of a call that failed: an `EtcdFailure`, or a `CodedError` where etcd's word is final. */
export function etcdError(code: number, text: string, endpoint: string): Error {
  const meaning = meanings.find(([part]) => text.includes(part))?.[1] ?? meaningOf(code);
  const where = `${endpoint}: ${text}`;
  return isStoreCode(meaning) ? storeError(meaning, where) : new EtcdFailure(meaning, where);
}

function isStoreCode(meaning: StoreCode | EtcdFailure['type']): meaning is StoreCode {
  return Object.hasOwn(storeCodes, meaning);
}

/** Timeouts and lost leaders are of many codes, and with all of them it may have been done. */
function meaningOf(code: number): StoreCode | EtcdFailure['type'] {
  if (code === status.unauthenticated) return 'token';
  if (code === status.permissionDenied) return 'store-refused';
  if (code === status.invalidArgument || code === status.resourceExhausted) return 'store-invalid';
  return 'silent';
}
