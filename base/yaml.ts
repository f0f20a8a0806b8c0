import {
  LineCounter,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseAllDocuments,
  parseDocument,
  stringify,
  type Document,
} from 'yaml';

/** Aliases that one document may resolve: "billion laughs" grows by aliases of aliases. */
const maxAliases = 50;

/** Documents that one text may hold. */
const maxDocuments = 10_000;

/** A YAML text that was read: its value, and where each part of it stood. */
export interface YamlText {
  readonly value: unknown;
  /** Line, from 1, of the key or the list item at this path, or of the nearest parent that is there. */
  lineOf(path: readonly (string | number)[]): number;
}

/** What makes a text no YAML at all. */
export interface YamlProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** Reads one YAML 1.2 document. Duplicate keys, several documents and too many aliases are problems. */
export function parseYaml(text: string): YamlText | { problems: readonly YamlProblem[] } {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      version: '1.2',
      uniqueKeys: true,
      merge: false,
    });
    if (document.errors.length > 0) {
      return {
        problems: document.errors.map((error) => ({ line: lines.linePos(error.pos[0]).line, message: error.message })),
      };
    }
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    return { value, lineOf: (path) => lineOf(document, lines, path) };
  } catch (error) {
    // The parser recurses by nesting and throws on too many aliases.
    const message =
      error instanceof RangeError ? 'nested too deeply' : String(error instanceof Error ? error.message : error);
    return { problems: [{ line: 1, message }] };
  }
}

/** Reads a text of several YAML 1.2 documents between lines of `---`; empty ones are left out. */
export function parseYamlDocuments(text: string): readonly YamlText[] | { problems: readonly YamlProblem[] } {
  const lines = new LineCounter();
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      version: '1.2',
      uniqueKeys: true,
      merge: false,
    });
    const documents = Array.isArray(parsed) ? parsed : [];
    const problems = documents.flatMap((document) =>
      document.errors.map((error) => ({ line: lines.linePos(error.pos[0]).line, message: error.message })),
    );
    if (documents.length > maxDocuments) problems.push({ line: 1, message: `more than ${maxDocuments} documents` });
    if (problems.length > 0) return { problems };
    return documents
      .map((document) => {
        const value: unknown = document.toJS({ maxAliasCount: maxAliases });
        return { value, lineOf: (path: readonly (string | number)[]) => lineOf(document, lines, path) };
      })
      .filter(({ value }) => value !== null);
  } catch (error) {
    // As in `parseYaml`.
    const message =
      error instanceof RangeError ? 'nested too deeply' : String(error instanceof Error ? error.message : error);
    return { problems: [{ line: 1, message }] };
  }
}

/** Writes a value as YAML. */
export function formatYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly (string | number)[]): number {
  let node: unknown = document.contents;
  let offset = offsetOf(node);
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => keyText(item.key) === String(key));
      if (pair === undefined) break;
      offset = offsetOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(key)];
      offset = offsetOf(node) ?? offset;
    } else {
      // An alias or a scalar: what is below it stands here.
      break;
    }
  }
  return offset === undefined ? 1 : lines.linePos(offset).line;
}

function keyText(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
