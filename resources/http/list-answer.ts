import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import type { Clock } from '../../base/index.ts';
import { heldBytes, type ListPage } from '../collection/collection.ts';
import { beginAnswer, sendAnswer, type AnswerHeaders } from './answer.ts';
import { formatContinueToken } from './continue-token.ts';
import { rangesOf } from './media-type.ts';
import { PacedResponse } from './paced-response.ts';
import type { ListMeta, Rendering } from './rendering.ts';
import { piecesOf } from './pieces.ts';
import { Pace } from './turn-queue.ts';

/** A list of no more than this is one write. */
const maxWholeBytes = 256 * 1024;
/** As Kubernetes: below this, compression costs more than it saves. */
const gzipBytes = 128 * 1024;

export interface ListAnswer {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly rendering: Rendering;
  readonly page: ListPage;
  readonly headers: AnswerHeaders;
  readonly clock: Clock;
}

/**
 * Writes a list: the concatenation of what is held, in large pieces, no faster than the client reads, with a turn of the event
 * loop for others in between. Resolves when it is out or the client is gone; throws, after a part of it, what a rendering throws.
 */
export async function sendList({ request, response, rendering, page, headers, clock }: ListAnswer): Promise<void> {
  const { objects } = page;
  const meta: ListMeta = {
    resourceVersion: String(page.version),
    ...(page.next === undefined ? {} : { continue: formatContinueToken(page.next) }),
    ...(page.next === undefined || page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  const head = rendering.listHead(meta);
  // What makes its JSON only when it goes out is not made for its length: that is close enough.
  const isMade = objects.every((object) => object.heldBytes === undefined);
  const bytes = objects.reduce((sum, object) => sum + heldBytes(object) + 1, head.length);
  const vary = { Vary: 'Accept-Encoding', ...headers };
  if (bytes >= gzipBytes && takesGzip(request)) {
    beginAnswer(response, 200, rendering.contentType, { ...vary, 'Content-Encoding': 'gzip' });
    return await sendCompressed(response, listParts(rendering, head, page));
  }
  if (bytes <= maxWholeBytes && rendering.isVerbatim) {
    const parts = [...listParts(rendering, head, page)];
    return sendAnswer(response, 200, rendering.contentType, Buffer.concat(parts), headers);
  }
  const gaps = Math.max(0, objects.length - 1) * rendering.separator.length;
  const length = bytes - objects.length + gaps + rendering.listTail.length;
  beginAnswer(response, 200, rendering.contentType, vary, rendering.isVerbatim && isMade ? length : undefined);
  const paced = new PacedResponse(response, clock);
  const pace = new Pace();
  for (const { bytes: piece, free } of piecesOf(listParts(rendering, head, page), () => pace.isOver)) {
    if (!(await paced.write(piece, free))) return;
    await pace.next();
  }
  paced.end();
}

async function sendCompressed(response: ServerResponse, parts: Iterable<Buffer>): Promise<void> {
  try {
    await pipeline(pacedPieces(parts), createGzip({ level: constants.Z_BEST_SPEED }), response);
  } catch (error) {
    // A client that goes ends its answer; that is no failure.
    if (!response.closed) throw error;
  }
}

async function* pacedPieces(parts: Iterable<Buffer>): AsyncGenerator<Buffer> {
  const pace = new Pace();
  for (const { bytes } of piecesOf(parts, () => pace.isOver)) {
    yield bytes;
    await pace.next();
  }
}

function* listParts(rendering: Rendering, head: Buffer, { objects }: ListPage): Generator<Buffer> {
  yield head;
  let isFirst = true;
  for (const object of objects) {
    if (!isFirst && rendering.separator.length > 0) yield rendering.separator;
    isFirst = false;
    yield rendering.item(object);
  }
  yield rendering.listTail;
}

function takesGzip(request: IncomingMessage): boolean {
  const accepted = request.headers['accept-encoding'];
  if (typeof accepted !== 'string' || !accepted.includes('gzip')) return false;
  return rangesOf(accepted).some(({ type }) => type === 'gzip');
}
