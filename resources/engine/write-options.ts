import type { Subresource } from './object-rules.ts';

/** What is done with fields that the schema does not know: dropped in silence, dropped with a warning, refused. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface WriteOptions {
  /** Everything but the write itself. Default false. */
  readonly dryRun?: boolean;
  /** Default `Warn`. */
  readonly fieldValidation?: FieldValidation;
}

export interface UpdateOptions extends WriteOptions {
  /** Default empty: all but the status. */
  readonly subresource?: Subresource;
}

export interface DeleteOptions {
  readonly dryRun?: boolean;
  /** The delete is refused with `object-conflict` unless the object is this one. */
  readonly preconditions?: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined };
  /** Nothing here takes time to end, so that it changes nothing. */
  readonly gracePeriodSeconds?: number;
  /** Default `Background`: what the object owns is deleted after it. `Orphan` leaves it, without its owner. */
  readonly propagationPolicy?: PropagationPolicy;
}

export type PropagationPolicy = 'Orphan' | 'Background' | 'Foreground';
