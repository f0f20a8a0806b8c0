import { constants } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../../base/index.ts';

export interface AuditFileOptions {
  readonly file: string;
  /** A file that has reached this is put aside; a single write may exceed it. */
  readonly maxBytes: number;
  /** Files that are kept besides the one that is written: `FILE.1` is the newest of them. */
  readonly keep: number;
}

/** An open file, and how far it is to be read. Whoever got it closes it. */
export interface ReadableFile {
  readonly handle: FileHandle;
  readonly bytes: number;
  /** When it was written last, as `Date.now()`. */
  readonly writtenMs: number;
}

/** So far back the end of the last whole line is looked for; no line is longer. */
const TAIL_BYTES = 64 * 1024;

/**
 * The files of an audit log, for their owner only (0600). One call at a time. Every call opens what is not open, so that after a failure the
 * next one begins anew; what a failed or interrupted write left behind is cut off then, so that there are whole lines only.
 */
export class AuditFile {
  readonly #options: AuditFileOptions;
  #handle: FileHandle | undefined;
  #bytes = 0;
  /** Where the last good write ended, while this is the same process; else the last whole line counts. */
  #goodBytes: number | undefined;

  constructor(options: AuditFileOptions) {
    this.#options = options;
  }

  /** Bytes that were cut off at the start, since the line was not whole. */
  cutBytes = 0;

  async append(chunk: Buffer): Promise<void> {
    const { maxBytes } = this.#options;
    let handle = await this.#open();
    if (this.#bytes > 0 && this.#bytes + chunk.length > maxBytes) {
      await this.#rotate();
      handle = await this.#open();
    }
    try {
      for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at, chunk.length - at)).bytesWritten;
    } catch (error) {
      await this.#fail();
      throw error;
    }
    this.#bytes += chunk.length;
    this.#goodBytes = this.#bytes;
  }

  /** What was appended is on the disk. */
  async sync(): Promise<void> {
    try {
      await this.#handle?.datasync();
    } catch (error) {
      await this.#fail();
      throw error;
    }
  }

  /** All files as they are now, the newest first. */
  async snapshot(): Promise<readonly ReadableFile[]> {
    await this.#open();
    const files: ReadableFile[] = [];
    try {
      for (let index = 0; index <= this.#options.keep; index++) {
        const handle = await openToRead(this.#name(index));
        if (handle === undefined) continue;
        const { size, mtimeMs } = await handle.stat();
        files.push({ handle, bytes: index === 0 ? this.#bytes : size, writtenMs: mtimeMs });
      }
    } catch (error) {
      await closeAll(files);
      throw error;
    }
    return files;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle === undefined) return;
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    const { file } = this.#options;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
    // No link is followed: what is written here by a privileged process is not someone else's to place.
    const handle = await open(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      await handle.chmod(0o600);
      const { size } = await handle.stat();
      const good =
        this.#goodBytes !== undefined && this.#goodBytes <= size ? this.#goodBytes : await wholeLines(handle, size);
      if (good < size) await handle.truncate(good);
      this.cutBytes += size - good;
      this.#bytes = good;
      this.#goodBytes = good;
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    return handle;
  }

  /** `FILE` becomes `FILE.1`, that `FILE.2`; the last one goes. */
  async #rotate(): Promise<void> {
    const { keep } = this.#options;
    await this.close();
    // From here on the name is another file, or will be.
    this.#goodBytes = undefined;
    await rm(this.#name(keep), { force: true });
    for (let index = keep - 1; index >= 0; index--) await renameIfThere(this.#name(index), this.#name(index + 1));
  }

  #name(index: number): string {
    return index === 0 ? this.#options.file : `${this.#options.file}.${index}`;
  }

  async #fail(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    // The failure that counts has been thrown already.
    await handle?.close().catch(() => undefined);
  }
}

/** Closes files that were got to be read, whatever fails. */
export async function closeAll(files: readonly ReadableFile[]): Promise<void> {
  await Promise.allSettled(files.map(({ handle }) => handle.close()));
}

/** Where the last whole line of a file ends. */
async function wholeLines(handle: FileHandle, size: number): Promise<number> {
  await requireLines(handle);
  const from = Math.max(0, size - TAIL_BYTES);
  const tail = Buffer.alloc(size - from);
  const { bytesRead } = await handle.read(tail, 0, tail.length, from);
  const newline = tail.subarray(0, bytesRead).lastIndexOf(0x0a);
  return newline === -1 ? from : from + newline + 1;
}

/** A file that is something else is never cut. */
async function requireLines(handle: FileHandle): Promise<void> {
  const first = Buffer.alloc(1);
  const { bytesRead } = await handle.read(first, 0, 1, 0);
  if (bytesRead > 0 && first[0] !== 0x7b) throw new Error('the file is no audit log: nothing is written to it');
}

async function openToRead(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
