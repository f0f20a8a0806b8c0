import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { messageOf, parseYaml, systemClock, type Clock } from '../../base/index.ts';
import { structureProblem } from '../engine/json-record.ts';
import { objectMalformed } from '../engine/object-error.ts';
import type { PatchType } from '../engine/patch.ts';
import { resourceError } from '../resource-error.ts';
import { typeOf } from './media-type.ts';
import { parseProtobufBody, protobufType } from './protobuf-body.ts';

export interface BodyOptions {
  /** Default 3 MiB, as Kubernetes. */
  readonly maxBytes?: number;
  /** A body that is not whole after this is given up. Default 60,000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/**
 * Reads a body to its end. Throws `object-too-large` as soon as it is known to be, `object-malformed` when the client stops
 * before its end or takes too long, `media-type-unsupported` for one that is compressed.
 */
export async function readBody(
  request: IncomingMessage,
  { maxBytes = 3 * 1024 * 1024, timeoutMs = 60_000, clock = systemClock }: BodyOptions = {},
): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw resourceError('media-type-unsupported', { detail: `a body in the encoding ${encoding.slice(0, 40)}` });
  const tooLarge = (): Error => resourceError('object-too-large', { detail: `more than ${maxBytes} bytes` });
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const take = (chunk: Buffer): void => {
    length += chunk.length;
    if (length > maxBytes) reject(tooLarge());
    else chunks.push(chunk);
  };
  const cut = (): void => reject(objectMalformed('', 'the body ended early'));
  const timer = clock.after(timeoutMs, () => reject(objectMalformed('', `the body took longer than ${timeoutMs} ms`)));
  request.on('data', take).once('end', resolve).once('error', cut).once('close', cut);
  try {
    await promise;
    return Buffer.concat(chunks, length);
  } finally {
    timer.cancel();
    request.off('data', take).off('end', resolve).off('close', cut);
  }
}

/** An object from a body. A body that does not say what it is counts as JSON. Throws `media-type-unsupported`, `object-malformed`. */
export function parseObjectBody(contentType: string | undefined, body: Buffer): unknown {
  const type = typeOf(contentType ?? '');
  if (type === '' || type === 'application/json') return parseJsonBody(body);
  if (yamlTypes.has(type)) return parseYamlBody(body);
  if (type === protobufType) return checked(parseProtobufBody(body));
  throw resourceError('media-type-unsupported', {
    detail: `${type.slice(0, 100)}; application/json and application/yaml are taken`,
  });
}

const yamlTypes: ReadonlySet<string> = new Set(['application/yaml', 'application/x-yaml', 'text/yaml']);

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

/** Which patch a body is. Throws `media-type-unsupported`; of server-side apply with what to do instead. */
export function patchTypeOf(contentType: string | undefined): PatchType {
  const type = typeOf(contentType ?? '');
  const found = Object.hasOwn(patchTypes, type) ? patchTypes[type] : undefined;
  if (found !== undefined) return found;
  const isApply = type.startsWith('application/apply-patch+');
  throw resourceError('media-type-unsupported', {
    detail: isApply
      ? 'server-side apply is not there; apply at the client: `kubectl apply --server-side=false`'
      : `${type.slice(0, 100)}; ${Object.keys(patchTypes).join(', ')} are taken`,
  });
}

export function parseJsonBody(body: Buffer): unknown {
  const text = textOf(body);
  try {
    return checked(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw objectMalformed('', `no JSON: ${messageOf(error)}`, error);
  }
}

function parseYamlBody(body: Buffer): unknown {
  const parsed = parseYaml(textOf(body));
  if ('value' in parsed) return checked(parsed.value);
  const [first] = parsed.problems;
  throw objectMalformed('', `no YAML: line ${first?.line ?? 1}: ${first?.message ?? 'not valid'}`);
}

function textOf(body: Buffer): string {
  if (body.length === 0) throw objectMalformed('', 'the body is empty');
  if (!isUtf8(body)) throw objectMalformed('', 'the body is no UTF-8');
  return body.toString();
}

function checked(value: unknown): unknown {
  const problem = structureProblem(value);
  if (problem !== undefined) throw objectMalformed('', problem);
  return value;
}
