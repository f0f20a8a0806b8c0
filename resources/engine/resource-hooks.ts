import type { ErrorCause } from '../../base/index.ts';
import type { Access } from '../access.ts';
import type { KubeObject } from '../object.ts';
import type { Subresource } from './object-rules.ts';

/** The rules of one type beside its schema. Each may throw a `CodedError` to refuse. */
export interface ResourceHooks {
  /** Members that the schema does not know are refused, whatever the request says: left out they would change what the object means. */
  readonly isStrict?: boolean;
  /** Before anything else of a write: whether it may be at all here and now (its namespace exists ...). */
  readonly admit?: (write: AdmittedWrite) => void | Promise<void>;
  /** Completes an object that is about to be made; gives another object back, never changes the given one. */
  readonly prepareCreate?: (object: KubeObject, access: Access) => KubeObject;
  /** Completes an object that is about to replace `old`, which may be done several times. */
  readonly prepareUpdate?: (object: KubeObject, old: KubeObject, access: Access) => KubeObject;
  /** Every place that is wrong, besides what the schema says. `old` is missing on create. */
  readonly validate?: (object: KubeObject, old?: KubeObject) => readonly ErrorCause[];
}

export interface AdmittedWrite {
  readonly verb: 'create' | 'update' | 'delete';
  readonly subresource: Subresource;
  readonly namespace: string;
  /** Empty where it is about to be generated. */
  readonly name: string;
  readonly access: Access;
}
