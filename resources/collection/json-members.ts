import { resourceError } from '../resource-error.ts';

/** Where one member of an object stands in JSON: byte offsets, ends behind the last byte. */
export interface JsonMember {
  /** The key's opening quote. */
  readonly at: number;
  readonly keyEnd: number;
  readonly valueAt: number;
  readonly end: number;
}

/** The members of an object, in their order, equal keys included. */
export interface JsonMembers {
  /** The opening brace. */
  readonly at: number;
  readonly members: readonly JsonMember[];
  /** Behind the closing brace. */
  readonly end: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Finds the members of the object that begins at or behind `from`, without parsing anything. Right for all valid JSON; what is not
 * valid is either found out, `object-unreadable`, or passed over where it does not matter for finding the members.
 */
export function findMembers(json: Buffer, from = 0): JsonMembers {
  const at = skipBlanks(json, from);
  expect(json, at, openBrace);
  const members: JsonMember[] = [];
  let next = skipBlanks(json, at + 1);
  if (json[next] === closeBrace) return { at, members, end: next + 1 };
  for (;;) {
    expect(json, next, quote);
    const keyEnd = skipString(json, next);
    const colonAt = skipBlanks(json, keyEnd);
    expect(json, colonAt, colon);
    const valueAt = skipBlanks(json, colonAt + 1);
    const end = skipValue(json, valueAt);
    members.push({ at: next, keyEnd, valueAt, end });
    const behind = skipBlanks(json, end);
    if (json[behind] === closeBrace) return { at, members, end: behind + 1 };
    expect(json, behind, comma);
    next = skipBlanks(json, behind + 1);
  }
}

/** Whether a member's key is this one, however it is written. */
export function hasKey(json: Buffer, member: JsonMember, key: string): boolean {
  const from = member.at + 1;
  const length = member.keyEnd - 1 - from;
  for (let i = 0; i < length; i++) {
    const byte = json[from + i] ?? 0;
    // Escapes and what is not ASCII are rare enough to be decoded.
    if (byte === backslash || byte > 0x7e) return decodedKey(json, member) === key;
    if (byte !== key.charCodeAt(i)) return false;
  }
  return length === key.length;
}

/** The member that counts: of equal keys the last. */
export function findMember(json: Buffer, { members }: JsonMembers, key: string): JsonMember | undefined {
  return members.findLast((member) => hasKey(json, member, key));
}

export function isObjectAt(json: Buffer, at: number): boolean {
  return json[at] === openBrace;
}

function decodedKey(json: Buffer, { at, keyEnd }: JsonMember): string {
  try {
    const key: unknown = JSON.parse(json.toString('utf8', at, keyEnd));
    return String(key);
  } catch {
    return fail(at);
  }
}

function skipValue(json: Buffer, at: number): number {
  const first = json[at];
  if (first === quote) return skipString(json, at);
  if (first === openBrace || first === openBracket) return skipNested(json, at);
  let end = at;
  while (isScalarByte(json[end])) end++;
  if (end === at) fail(at);
  return end;
}

function skipNested(json: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  while (at < json.length) {
    const byte = json[at];
    if (byte === quote) {
      at = skipString(json, at);
      continue;
    }
    at++;
    if (byte === openBrace || byte === openBracket) depth++;
    else if ((byte === closeBrace || byte === closeBracket) && --depth === 0) return at;
  }
  return fail(at);
}

function skipString(json: Buffer, from: number): number {
  for (let at = from + 1; at < json.length; at++) {
    const byte = json[at];
    if (byte === quote) return at + 1;
    if (byte === backslash) at++;
  }
  return fail(json.length);
}

function skipBlanks(json: Buffer, from: number): number {
  let at = from;
  while (isBlank(json[at])) at++;
  return at;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isScalarByte(byte: number | undefined): boolean {
  return byte !== undefined && !isBlank(byte) && byte !== comma && byte !== closeBrace && byte !== closeBracket;
}

function expect(json: Buffer, at: number, byte: number): void {
  if (json[at] !== byte) fail(at);
}

function fail(at: number): never {
  throw resourceError('object-unreadable', { detail: `no JSON object, at byte ${at}` });
}
