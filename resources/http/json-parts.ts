import { findMember, findMembers } from '../collection/json-members.ts';

/** A list up to its first item. */
export function jsonListHead(kind: string, apiVersion: string, meta: object): Buffer {
  return Buffer.from(
    `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(meta)},"items":[`,
  );
}

/** An object as `PartialObjectMetadata`; its metadata is found, not parsed. */
export function partialObject(json: Buffer, apiVersion: string): Buffer {
  const metadata = findMember(json, findMembers(json), 'metadata');
  const head = `{"kind":"PartialObjectMetadata","apiVersion":${JSON.stringify(apiVersion)},"metadata":`;
  return Buffer.concat([
    Buffer.from(head),
    metadata === undefined ? Buffer.from('{}') : json.subarray(metadata.valueAt, metadata.end),
    Buffer.from('}'),
  ]);
}

/** One line of a watch. */
export function eventLine(type: string, object: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), object, Buffer.from('}\n')]);
}

/** The line that says only how far a watch has come. */
export function bookmarkLine(
  kind: string,
  apiVersion: string,
  version: number,
  annotations?: Readonly<Record<string, string>>,
): Buffer {
  const metadata = {
    resourceVersion: String(version),
    creationTimestamp: null,
    ...(annotations === undefined ? {} : { annotations }),
  };
  return eventLine('BOOKMARK', Buffer.from(JSON.stringify({ kind, apiVersion, metadata })));
}

/** `pretty=true`: for people. */
export function prettyJson(json: Buffer): Buffer {
  return Buffer.from(`${JSON.stringify(JSON.parse(json.toString()), null, 2)}\n`);
}
