import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { validate, z } from '../../base/index.ts';
import {
  BatchPacker,
  BatchUnpacker,
  decodeFeedRecords,
  encodeFeedFrame,
  encodeFeedRecord,
  fedKind,
  FeedFrameReader,
  feedLimits,
  feedMalformed,
  type FedKind,
} from '../../resources/index.ts';
import type { Cursor } from './kind-copy.ts';

/** A kind as it is kept on disk. */
export interface KeptKind {
  readonly kind: FedKind;
  readonly version: number;
  readonly syncedAt?: number;
  readonly cursor?: Cursor;
}

export interface KeptHeader {
  readonly edge: string;
  readonly kinds: readonly KeptKind[];
}

/*
 * A file is the magic, the length of the header, the header, then frames as a feed has them, with nothing but `put` records
 * whose kinds are indexes into the header; at the end the SHA-256 of all that.
 */
const MAGIC = Buffer.from('CWSNAP01');
const HASH_BYTES = 32;
const BATCH_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 4 * 1024 * 1024;
const MAX_FILE_BYTES = 2 * 1024 ** 3;

const header = z.object({
  edge: z.string().min(1).max(253),
  kinds: z
    .array(
      z.object({
        kind: fedKind,
        version: z.int().min(0),
        syncedAt: z.number().exactOptional(),
        cursor: z.object({ feed: z.string().max(64), sequence: z.int().min(0) }).exactOptional(),
      }),
    )
    .max(feedLimits.maxKinds),
});

/** Replaces the file at once: whoever reads it finds the old one or the new one, whole. */
export async function writeSnapshot(
  path: string,
  kept: KeptHeader,
  objects: Iterable<{ readonly kind: number; readonly json: Buffer }>,
): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  const packer = new BatchPacker();
  try {
    const hash = createHash('sha256');
    const write = async (parts: readonly Buffer[]): Promise<void> => {
      for (const part of parts) hash.update(part);
      await writeAll(file, Buffer.concat(parts));
    };
    const head = Buffer.from(JSON.stringify(kept));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    await write([MAGIC, length, head]);
    let parts: Buffer[] = [];
    let batchBytes = 0;
    const flush = async (): Promise<void> => {
      if (batchBytes === 0) return;
      const bytes = await packer.pack(parts);
      await write(encodeFeedFrame({ type: 'packed', bytes, batchBytes }));
      parts = [];
      batchBytes = 0;
    };
    for (const { kind, json } of objects) {
      const record = encodeFeedRecord({ type: 'put', kind, json });
      parts.push(...record);
      for (const part of record) batchBytes += part.length;
      if (batchBytes >= BATCH_BYTES) await flush();
    }
    await flush();
    await writeAll(file, hash.digest());
    await file.sync();
  } finally {
    packer.close();
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

export interface Snapshot {
  readonly header: KeptHeader;
  /** In batches, so that the reader can let others have their turn. */
  readonly objects: AsyncIterable<{ readonly kind: number; readonly json: Buffer }>;
}

/** Opens a file after its checksum was found to be right. Throws `feed-malformed` for what is none, or is damaged. */
export async function readSnapshot(path: string): Promise<Snapshot> {
  const { size } = await stat(path);
  const end = size - HASH_BYTES;
  if (size > MAX_FILE_BYTES || end < MAGIC.length + 4) throw feedMalformed(`a snapshot of ${size} bytes`);
  await checkHash(path, end);
  const file = await open(path, 'r');
  let head: KeptHeader;
  let from: number;
  try {
    const start = await readAt(file, 0, MAGIC.length + 4);
    const length = start.readUInt32BE(MAGIC.length);
    from = start.length + length;
    if (!start.subarray(0, MAGIC.length).equals(MAGIC) || length > MAX_HEADER_BYTES || from > end)
      throw feedMalformed('not a snapshot');
    head = parseHeader(await readAt(file, start.length, length));
  } finally {
    await file.close();
  }
  return { header: head, objects: readObjects(path, from, end) };
}

async function* readObjects(path: string, from: number, end: number): AsyncGenerator<{ kind: number; json: Buffer }> {
  if (from === end) return;
  const frames = new FeedFrameReader();
  const unpacker = new BatchUnpacker();
  try {
    for await (const chunk of chunksOf(path, from, end))
      for (const frame of frames.push(chunk)) {
        if (frame.type !== 'packed') throw feedMalformed('a frame of a snapshot');
        for (const record of decodeFeedRecords(await unpacker.unpack(frame.bytes, frame.batchBytes))) {
          if (record.type !== 'put') throw feedMalformed('a record of a snapshot');
          yield record;
        }
      }
  } finally {
    unpacker.close();
  }
}

async function checkHash(path: string, end: number): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of chunksOf(path, 0, end)) hash.update(chunk);
  const file = await open(path, 'r');
  try {
    if (!hash.digest().equals(await readAt(file, end, HASH_BYTES))) throw feedMalformed('the checksum of a snapshot');
  } finally {
    await file.close();
  }
}

/** `end` is not contained. */
function chunksOf(path: string, start: number, end: number): AsyncIterable<Buffer> {
  return createReadStream(path, { start, end: end - 1, highWaterMark: 256 * 1024 });
}

function parseHeader(bytes: Buffer): KeptHeader {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw feedMalformed('the header of a snapshot', cause);
  }
  const result = validate<KeptHeader>(header, value);
  if ('value' in result) return result.value;
  throw feedMalformed(`the header of a snapshot: ${result.problems[0]?.path.join('.') ?? ''}`);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  if (bytesRead !== length) throw feedMalformed('a snapshot that ends too early');
  return bytes;
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export async function removeSnapshot(path: string): Promise<void> {
  await rm(path, { force: true });
}
