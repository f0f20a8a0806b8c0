import { join } from 'node:path';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';

/**
 * The messages of `etcd.proto`, as they are read and written. 64-bit integers come as decimal text, since lease ids do not
 * fit a number. In what is read every field is there; in what is written one that is missing has its zero value.
 */
export interface Header {
  readonly clusterId: string;
  readonly revision: string;
}

export interface KeyValue {
  readonly key: Buffer;
  readonly createRevision: string;
  readonly modRevision: string;
  readonly value: Buffer;
  /** `0`: none. */
  readonly lease: string;
}

export interface RangeRequest {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly limit?: number;
  readonly revision?: number;
}

export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export type RequestOp =
  | { readonly range: RangeRequest }
  | { readonly put: { readonly key: Buffer; readonly value: Buffer; readonly lease?: string } }
  | { readonly delete: { readonly key: Buffer } };

export interface TxnRequest {
  readonly compare: readonly { readonly target: 'MOD'; readonly key: Buffer; readonly modRevision: number }[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly range: RangeResponse | null }[];
}

export type WatchRequest =
  | { readonly create: { readonly key: Buffer; readonly rangeEnd: Buffer; readonly startRevision: number } }
  | { readonly progress: object };

export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: KeyValue;
}

export interface WatchResponse {
  readonly created: boolean;
  readonly canceled: boolean;
  /** `0`: it was not canceled for that. */
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
}

export interface LeaseRequest {
  readonly id: string;
}

export interface LeaseResponse {
  readonly id: string;
  /** Seconds; `0`: there is no such lease. */
  readonly ttl: string;
}

/** One call of etcd's API: where it goes, and how its messages are written and read. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly encode: (request: Request) => Buffer;
  readonly decode: (bytes: Buffer) => Response;
}

/** The calls that the store uses. The one file that imports proto-loader. */
export interface EtcdProtocol {
  readonly range: Method<RangeRequest, RangeResponse>;
  readonly txn: Method<TxnRequest, TxnResponse>;
  readonly compact: Method<{ readonly revision: number }, object>;
  readonly watch: Method<WatchRequest, WatchResponse>;
  readonly grantLease: Method<{ readonly id: string; readonly ttl: number }, LeaseResponse>;
  readonly revokeLease: Method<LeaseRequest, object>;
  readonly keepAlive: Method<LeaseRequest, LeaseResponse>;
  readonly authenticate: Method<{ readonly name: string; readonly password: string }, { readonly token: string }>;
}

/** Reads `etcd.proto`, which lies beside this file. */
export function loadEtcdProtocol(): EtcdProtocol {
  const definitions = loadSync(join(import.meta.dirname, 'etcd.proto'), {
    longs: String,
    enums: String,
    defaults: true,
  });
  const method = <Request extends object, Response extends object>(
    service: string,
    name: string,
  ): Method<Request, Response> => {
    const found = definitions[`etcdserverpb.${service}`];
    // The border: what is decoded is what etcd.proto says, and the interfaces of this file repeat it.
    const definition = (found as Record<string, MethodDefinition<Request, Response>> | undefined)?.[name];
    if (definition === undefined) throw new Error(`etcd.proto has no ${service}.${name}`);
    return { path: definition.path, encode: definition.requestSerialize, decode: definition.responseDeserialize };
  };
  return {
    range: method('KV', 'Range'),
    txn: method('KV', 'Txn'),
    compact: method('KV', 'Compact'),
    watch: method('Watch', 'Watch'),
    grantLease: method('Lease', 'LeaseGrant'),
    revokeLease: method('Lease', 'LeaseRevoke'),
    keepAlive: method('Lease', 'LeaseKeepAlive'),
    authenticate: method('Auth', 'Authenticate'),
  };
}
