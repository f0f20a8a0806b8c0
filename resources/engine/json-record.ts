/** An object of parsed JSON, whatever its keys are called. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function ownValue(record: JsonRecord, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Levels of nesting that are taken in: far below what the recursion of parsers, checks and writers bears. */
const maxDepth = 256;

/**
 * What makes a value from outside one that nobody should walk over: nesting without end, or a key `__proto__`, which an
 * assignment takes for something else. Undefined: nothing.
 */
export function structureProblem(root: unknown): string | undefined {
  // By levels, since recursion is what this is to protect.
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return `nested more than ${maxDepth} levels`;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      if (Object.hasOwn(value, '__proto__')) return 'a key "__proto__" is not taken';
      for (const item of Object.values(value) as unknown[]) {
        if (typeof item === 'object' && item !== null) next.push(item);
        // YAML has them, JSON has not.
        else if (typeof item === 'number' && !Number.isFinite(item)) return `${item} is no number that can be kept`;
      }
    }
    level = next;
  }
  return undefined;
}
