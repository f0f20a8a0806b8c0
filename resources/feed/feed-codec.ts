import { constants, createZstdCompress, createZstdDecompress, type ZstdCompress, type ZstdDecompress } from 'node:zlib';
import { feedMalformed } from './feed-error.ts';

/** 128 KiB: a context costs some 2 MiB at the sender and 300 KiB at the receiver. */
const WINDOW_LOG = 17;
/** A batch is about so long, and each chunk is a trip to another thread. */
const CHUNK_BYTES = 64 * 1024;

/** Compresses batches one after the other in one context, so that each finds in it what the ones before had. */
export class BatchPacker {
  #context: ZstdCompress | undefined;
  #chunks: Buffer[] = [];

  get isOpen(): boolean {
    return this.#context !== undefined;
  }

  /** One call at a time. The result decompresses to the batch without what comes later. */
  async pack(parts: readonly Buffer[]): Promise<Buffer> {
    const context = (this.#context ??= this.#open());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    context.once('error', reject);
    // Each write is a trip to another thread.
    context.write(Buffer.concat(parts));
    context.flush(constants.ZSTD_e_flush, resolve);
    await promise;
    context.off('error', reject);
    const packed = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return packed;
  }

  /** The next batch begins another context. */
  close(): void {
    this.#context?.destroy();
    this.#context = undefined;
    this.#chunks = [];
  }

  #open(): ZstdCompress {
    const context = createZstdCompress({
      chunkSize: CHUNK_BYTES,
      params: { [constants.ZSTD_c_windowLog]: WINDOW_LOG },
    });
    context.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    context.on('error', ignore);
    return context;
  }
}

/** The other end of a `BatchPacker`. */
export class BatchUnpacker {
  #context: ZstdDecompress | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #limit = 0;

  /** One call at a time. Throws `feed-malformed`; more than `batchBytes` are never held. */
  async unpack(bytes: Buffer, batchBytes: number): Promise<Buffer> {
    const context = (this.#context ??= this.#open());
    this.#limit = batchBytes;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = (): void => reject(feedMalformed('a batch that is longer than it said'));
    context.once('close', onClose);
    context.once('error', reject);
    context.write(bytes, (error) => (error ? reject(error) : resolve()));
    try {
      await promise;
    } catch (cause) {
      this.close();
      throw cause instanceof Error && 'status' in cause ? cause : feedMalformed('a compressed batch', cause);
    }
    context.off('close', onClose);
    context.off('error', reject);
    if (this.#bytes !== batchBytes) throw feedMalformed(`a batch of ${this.#bytes} bytes in place of ${batchBytes}`);
    const batch = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    this.#bytes = 0;
    return batch;
  }

  close(): void {
    this.#context?.destroy();
    this.#context = undefined;
    this.#chunks = [];
    this.#bytes = 0;
  }

  #open(): ZstdDecompress {
    const context = createZstdDecompress({
      chunkSize: CHUNK_BYTES,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG },
    });
    context.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      if (this.#bytes > this.#limit) context.destroy();
      else this.#chunks.push(chunk);
    });
    context.on('error', ignore);
    return context;
  }
}

function ignore(): void {
  // Whoever waits for a batch is told; when nobody does, nothing is lost.
}
