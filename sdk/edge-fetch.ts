import { codeOf, messageOf } from '../base/index.ts';
import {
  encodeRequestHead,
  RecordReader,
  RecordWriter,
  Stream,
  tunnelError,
  type Endpoint,
  type HttpResponseHead,
  type RawHeaders,
} from '../tunnel/index.ts';

/** As for the global `fetch`, as far as it makes sense here. */
export interface FetchOptions extends Pick<RequestInit, 'method' | 'headers' | 'body' | 'signal'> {
  readonly duplex?: 'half';
}

/** Methods that change nothing, so that a repetition does no harm (RFC 9110, 9.2.1). */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Failures of a path, after which a safe request is sent again. */
const REPEATABLE = new Set(['outcome-unknown', 'stream-lost', 'gone', 'endpoint-closed', 'not-opened', 'draining']);
/** Ends of a stream that was taken, before its answer came: nobody knows what was done. */
const LEAVES_UNKNOWN = new Set(['stream-lost', 'gone', 'endpoint-closed']);
const MAX_TRIES = 5;
const NULL_BODY_STATUS = new Set([101, 204, 205, 304]);

export async function fetchThrough(
  endpoint: Endpoint,
  edge: string,
  service: string,
  path: string,
  init: FetchOptions,
): Promise<Response> {
  // The platform's own Request sorts out headers, bodies and their types.
  const request = new Request(`http://${edge}/`, { ...init, ...(init.body == null ? {} : { duplex: 'half' }) });
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(endpoint, request, { edge, service, path });
    } catch (error) {
      const repeatable = SAFE_METHODS.has(request.method) && REPEATABLE.has(codeOf(error)) && attempt < MAX_TRIES;
      if (repeatable && !request.signal.aborted) continue;
      if (LEAVES_UNKNOWN.has(codeOf(error)))
        throw tunnelError('outcome-unknown', { detail: messageOf(error), cause: error });
      throw error;
    }
  }
}

interface Place {
  readonly edge: string;
  readonly service: string;
  readonly path: string;
}

function once(endpoint: Endpoint, request: Request, { edge, service, path }: Place): Promise<Response> {
  const hasBody = request.body !== null;
  const headers = [...request.headers].flat();
  const head = encodeRequestHead({ headers, body: hasBody });
  const target = { edge, service, kind: 'http', verb: request.method, path, principal: '' };
  const stream = new Stream(endpoint.open(target, { head }));
  const abort = (): void => void stream.destroy(tunnelError('canceled', { cause: request.signal.reason }));
  request.signal.addEventListener('abort', abort);
  stream.once('close', () => request.signal.removeEventListener('abort', abort));
  if (hasBody) void sendBody(request, stream);
  else stream.end();
  return receive(stream, request.method);
}

async function sendBody(request: Request, stream: Stream): Promise<void> {
  const writer = new RecordWriter(stream);
  try {
    const body: AsyncIterable<Uint8Array> | undefined = request.body ?? undefined;
    for await (const chunk of body ?? []) {
      if (stream.destroyed) return;
      if (!writer.data(chunk)) await drained(stream);
    }
    if (!stream.destroyed) writer.end();
  } catch (cause) {
    stream.destroy(tunnelError('canceled', { detail: 'the request body failed', cause }));
  }
}

function drained(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

/** Resolves at the response head; the body streams, with the reader's back-pressure. */
function receive(stream: Stream, method: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    let ended = false;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (given) => {
          controller = given;
        },
        pull: () => void stream.resume(),
        cancel: () => void stream.destroy(tunnelError('canceled')),
      },
      { highWaterMark: 64 * 1024, size: (chunk) => chunk.length },
    );
    const fail = (error: unknown): void => {
      reject(error);
      if (!ended) controller?.error(error);
      ended = true;
    };
    const end = (): void => {
      if (!ended) controller?.close();
      ended = true;
    };
    const reader = new RecordReader('head', {
      onInfo: () => {},
      onHead: (head) => resolve(responseOf(head, method, body)),
      onData: (chunk) => {
        controller?.enqueue(chunk);
        if ((controller?.desiredSize ?? 1) <= 0) stream.pause();
      },
      onTrailers: () => {},
      onEnd: end,
      onRaw: () => fail(tunnelError('record-malformed', { detail: 'a switch of protocols that nobody asked for' })),
    });
    stream.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        stream.destroy(error instanceof Error ? error : tunnelError('record-malformed'));
      }
    });
    stream.once('end', () => {
      if (!ended) stream.destroy(tunnelError('record-malformed', { detail: 'the answer is cut off' }));
    });
    stream.once('error', fail);
  });
}

function responseOf(head: HttpResponseHead, method: string, body: ReadableStream<Uint8Array>): Response {
  const empty = method === 'HEAD' || NULL_BODY_STATUS.has(head.status);
  if (empty) void body.cancel().catch(() => {});
  return new Response(empty ? null : body, {
    status: head.status,
    statusText: head.statusText,
    headers: pairs(head.headers),
  });
}

function pairs(headers: RawHeaders): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < headers.length; index += 2)
    list.push([headers[index] ?? '', headers[index + 1] ?? '']);
  return list;
}
