import { resourceError } from '../resource-error.ts';

const NEWLINE = 0x0a;

/**
 * Cuts a body into its lines as the bytes come; a last one that is not ended is not given, since nobody knows how it
 * would have gone on. A line may be of the chunk's memory, and is good until the next one is asked for. Throws
 * `answer-too-large`.
 */
export async function* watchLines(body: AsyncIterable<Uint8Array>, maxLineBytes: number): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    for (;;) {
      const end = buffer.indexOf(NEWLINE, at);
      const rest = buffer.subarray(at, end < 0 ? buffer.length : end);
      bytes += rest.length;
      if (bytes > maxLineBytes)
        throw resourceError('answer-too-large', { detail: `a line of more than ${maxLineBytes} bytes` });
      if (end < 0) {
        if (rest.length > 0) pieces.push(Buffer.from(rest));
        break;
      }
      const line = pieces.length === 0 ? rest : Buffer.concat([...pieces, rest]);
      pieces = [];
      bytes = 0;
      at = end + 1;
      if (line.length > 0) yield line;
    }
  }
}
