import { maxAuditLineLength, parseAuditRecord } from '../../api/index.ts';
import type { ReadableFile } from './audit-file.ts';
import { matches, type AuditQuery } from './audit-query.ts';

const READ_BYTES = 64 * 1024;
/** What the newest lines may take while they are looked for. */
const MAX_KEPT_CHARACTERS = 16 * 1024 * 1024;

/**
 * The lines of an audit log's files (the newest first) that a query asks for, in the order in which they were written, some at a
 * time. With a limit: the newest ones, and no more than 16 MiB of them.
 */
export async function* readLines(files: readonly ReadableFile[], query: AuditQuery): AsyncGenerator<string[]> {
  const { since, limit } = query;
  const wanted = files.filter(({ writtenMs }) => since === undefined || writtenMs >= since - 1000);
  if (limit > 0) {
    yield await newestLines(wanted, query);
    return;
  }
  for (const file of wanted.toReversed()) yield* matchingLines(file, query);
}

/** The newest file first, until there are enough. */
async function newestLines(files: readonly ReadableFile[], query: AuditQuery): Promise<string[]> {
  let lines: string[] = [];
  let characters = 0;
  for (const file of files) {
    const older = new LineRing(query.limit - lines.length, MAX_KEPT_CHARACTERS - characters);
    for await (const some of matchingLines(file, query)) for (const line of some) older.push(line);
    lines = [...older.lines, ...lines];
    characters += older.characters;
    if (lines.length >= query.limit || older.isCut) break;
  }
  return lines;
}

/** The last lines of many. */
class LineRing {
  readonly #maxLines: number;
  readonly #maxCharacters: number;
  readonly #lines: string[] = [];
  #from = 0;
  characters = 0;
  isCut = false;

  constructor(maxLines: number, maxCharacters: number) {
    this.#maxLines = maxLines;
    this.#maxCharacters = maxCharacters;
  }

  get lines(): readonly string[] {
    return this.#lines.slice(this.#from);
  }

  push(line: string): void {
    this.#lines.push(line);
    this.characters += line.length;
    while (this.#lines.length - this.#from > this.#maxLines || this.characters > this.#maxCharacters) {
      this.characters -= this.#lines[this.#from++]?.length ?? 0;
      this.isCut = true;
    }
    // What has gone is let go of now and then, not at every line.
    if (this.#from > this.#maxLines) {
      this.#lines.splice(0, this.#from);
      this.#from = 0;
    }
  }
}

async function* matchingLines({ handle, bytes }: ReadableFile, query: AuditQuery): AsyncGenerator<string[]> {
  const needles = needlesOf(query);
  const chunk = Buffer.allocUnsafe(READ_BYTES);
  let rest = '';
  // Lines are ASCII or whole UTF-8 sequences; a sequence may be cut by a chunk.
  const decoder = new TextDecoder();
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await handle.read(chunk, 0, Math.min(READ_BYTES, bytes - at), at);
    if (bytesRead === 0) break;
    at += bytesRead;
    const lines = (rest + decoder.decode(chunk.subarray(0, bytesRead), { stream: true })).split('\n');
    rest = (lines.pop() ?? '').slice(0, maxAuditLineLength + 1);
    const found = lines.filter((line) => isWanted(line, needles, query));
    if (found.length > 0) yield found;
  }
}

function isWanted(line: string, needles: readonly string[], query: AuditQuery): boolean {
  if (!needles.every((needle) => line.includes(needle))) return false;
  const record = parseAuditRecord(line);
  return record !== undefined && matches(query, record);
}

/** Texts that every line asked for has: most lines need not be parsed. */
function needlesOf({ edge, principal, actions }: AuditQuery): readonly string[] {
  return [
    ...(edge === undefined ? [] : [`"edge":${JSON.stringify(edge)}`]),
    ...(principal === undefined || principal.endsWith('*') ? [] : [`"principal":${JSON.stringify(principal)}`]),
    ...(actions.length === 1 ? [`"action":${JSON.stringify(actions[0])}`] : []),
  ];
}
