import { isRecord, ownValue } from './json-record.ts';

/** A JSON merge patch (RFC 7396): null removes, objects are merged, everything else replaces. Changes neither of the two. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyMergePatch(ownValue(result, key), value);
  }
  return result;
}
