import { RE2JS } from 're2js';

import { resourceError } from '../resource-error.ts';
import { schemaLimits } from './schema-node.ts';

/** What a schema's pattern compiles to. */
export interface LinearPattern {
  test(text: string): boolean;
  /** The pattern: ajv tells one from another by it. */
  toString(): string;
}

/**
 * Patterns come with definitions from elsewhere and meet values from elsewhere: they run in RE2's linear time, in the syntax that
 * Kubernetes has for them, and never in a backtracking engine. Throws `definition-invalid`. The one file that imports re2js.
 */
export function linearPattern(pattern: string): LinearPattern {
  const problem = patternProblem(pattern);
  if (problem !== undefined) throw resourceError('definition-invalid', { detail: `pattern ${pattern}: ${problem}` });
  const compiled = RE2JS.compile(pattern);
  return { test: (text) => compiled.matcher(text).find(), toString: () => pattern };
}

/** What is wrong with a pattern; undefined when it compiles. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > schemaLimits.maxPatternCharacters)
    return `longer than ${schemaLimits.maxPatternCharacters} characters`;
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
