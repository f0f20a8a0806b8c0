import type { CodedError } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';

/** The other end of a feed sent what is none: its stream ends with this. */
export function feedMalformed(detail: string, cause?: unknown): CodedError {
  return resourceError('feed-malformed', cause === undefined ? { detail } : { detail, cause });
}
