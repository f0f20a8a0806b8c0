import { isDeepStrictEqual } from 'node:util';

type Json = Readonly<Record<string, unknown>>;

/**
 * The merge patch (RFC 7386) that makes `current` what `wanted` says: what `wanted` has, and `current` has not or
 * otherwise, is set; what `last` had and `wanted` has no more is taken away; what neither of the two ever said, others'
 * fields, stays. Undefined when there is nothing to do. Lists are replaced as a whole.
 */
export function threeWayPatch(last: unknown, wanted: Json, current: Json): Json | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(wanted)) {
    const now = own(current, key);
    if (isObject(value) && isObject(now)) {
      const below = threeWayPatch(own(last, key), value, now);
      if (below !== undefined) patch[key] = below;
    } else if (value === null ? now != null : !isDeepStrictEqual(value, now)) patch[key] = value;
  }
  for (const key of Object.keys(isObject(last) ? last : {}))
    if (!Object.hasOwn(wanted, key) && own(current, key) != null) patch[key] = null;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function own(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
