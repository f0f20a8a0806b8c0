import { findMember, findMembers, hasKey, isObjectAt, type JsonMembers } from './json-members.ts';

/** Changes of an object's `metadata`; what is missing here stays as it is. */
export interface MetadataEdits {
  readonly name?: string;
  readonly namespace?: string;
  readonly resourceVersion?: string;
  /** Added, or set to the value; other labels stay. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Added, or set to the value; other annotations stay. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Members of `metadata` that go, such as `managedFields`; none of those that are set. */
  readonly drop?: readonly string[];
}

/**
 * Changes an object's metadata in its bytes: everything else stays byte by byte, so that nothing is lost to a parse (integers
 * beyond 2^53, the order of members) and it costs one pass and one copy. The result owns its memory exactly.
 *
 * `json` is valid JSON in UTF-8, an object on top; of equal keys the last counts, as for `JSON.parse`. A `metadata` that is
 * missing, or no object, is made. Throws `object-unreadable` when there is no object, or it ends too early.
 */
export function spliceMetadata(json: Buffer, { drop = [], ...edits }: MetadataEdits): Buffer {
  const splices: Splice[] = [];
  const top = findMembers(json);
  const metadata = findMember(json, top, 'metadata');
  // Below a member that is an object, changes go into it; in place of anything else it is written anew.
  if (metadata === undefined || !isObjectAt(json, metadata.valueAt))
    editMembers(json, top, { metadata: edits }, splices);
  else {
    const members = findMembers(json, metadata.valueAt);
    dropMembers(json, members, drop, splices);
    editMembers(json, members, edits, splices, drop);
  }
  return applySplices(json, splices);
}

/** Bytes from `from` up to `to` give way to a text. */
interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

interface Edits {
  readonly [key: string]: string | Edits;
}

function editMembers(
  json: Buffer,
  object: JsonMembers,
  edits: Edits,
  splices: Splice[],
  dropped: readonly string[] = [],
): void {
  const added: string[] = [];
  for (const [key, value] of Object.entries(edits)) {
    const member = findMember(json, object, key);
    if (member === undefined) added.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
    else if (typeof value === 'object' && isObjectAt(json, member.valueAt))
      editMembers(json, findMembers(json, member.valueAt), value, splices);
    else splices.push({ from: member.valueAt, to: member.end, text: JSON.stringify(value) });
  }
  if (added.length === 0) return;
  const isAlone = object.members.every((member) => dropped.some((key) => hasKey(json, member, key)));
  splices.push({ from: object.at + 1, to: object.at + 1, text: added.join(',') + (isAlone ? '' : ',') });
}

function dropMembers(json: Buffer, object: JsonMembers, drop: readonly string[], splices: Splice[]): void {
  if (drop.length === 0) return;
  const kept = object.members.map((member) => !drop.some((key) => hasKey(json, member, key)));
  const lastKept = kept.lastIndexOf(true);
  for (const [index, member] of object.members.entries()) {
    const next = object.members[index + 1];
    // With the comma behind it; what stands behind all that stays goes with the comma before it.
    if (index < lastKept && kept[index] === false && next !== undefined)
      splices.push({ from: member.at, to: next.at, text: '' });
  }
  if (lastKept === object.members.length - 1) return;
  splices.push({ from: object.members[lastKept]?.end ?? object.at + 1, to: object.end - 1, text: '' });
}

function applySplices(json: Buffer, splices: Splice[]): Buffer {
  splices.sort((a, b) => a.from - b.from || a.to - b.to);
  const grown = splices.reduce((sum, { from, to, text }) => sum + Buffer.byteLength(text) - (to - from), 0);
  const result = Buffer.allocUnsafeSlow(json.length + grown);
  let read = 0;
  let written = 0;
  for (const { from, to, text } of splices) {
    written += json.copy(result, written, read, from);
    written += result.write(text, written);
    read = to;
  }
  json.copy(result, written, read);
  return result;
}
