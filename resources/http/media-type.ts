import { resourceError } from '../resource-error.ts';

/** In what form an answer goes out, chosen from what the client accepts. */
export interface AnswerForm {
  /** `table` and `metadata`: what Kubernetes' servers make of any object for whoever asks. */
  readonly as: 'object' | 'table' | 'metadata';
  /** Of `table` and `metadata`: the version of `meta.k8s.io` that they are in. */
  readonly metaVersion: 'v1' | 'v1beta1';
  readonly encoding: 'json' | 'yaml';
}

const wholeJson: AnswerForm = { as: 'object', metaVersion: 'v1', encoding: 'json' };

/** Longer headers are not looked at. */
const maxAcceptLength = 4096;

/**
 * The first form that the client accepts and that there is, by quality, then by order. Watches are JSON only. Throws
 * `media-type-unacceptable` when there is none, as for a client that takes protobuf alone.
 */
export function answerFormOf(accept: string | undefined, { isWatch = false } = {}): AnswerForm {
  // By far the most frequent.
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json') return wholeJson;
  for (const range of rangesOf(accept)) {
    const form = formOf(range);
    if (form !== undefined && !(isWatch && form.encoding === 'yaml')) return form;
  }
  throw resourceError('media-type-unacceptable', { detail: accept.slice(0, 200) });
}

/** One part of an Accept header. */
export interface MediaRange {
  /** `application/json`, in lower case. */
  readonly type: string;
  /** Without `q`. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** What a client accepts, what it likes best first; what it rules out is left out. */
export function rangesOf(accept: string): readonly MediaRange[] {
  return accept
    .slice(0, maxAcceptLength)
    .split(',')
    .map(parseRange)
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
}

/** The type of a Content-Type or one range, without its parameters, in lower case. */
export function typeOf(header: string): string {
  return (header.split(';', 1)[0] ?? '').trim().toLowerCase();
}

function parseRange(text: string): MediaRange & { readonly quality: number } {
  const [, ...rest] = text.split(';');
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const [name = '', value = ''] = part.split('=', 2);
    parameters.set(name.trim().toLowerCase(), value.trim());
  }
  const quality = parameters.get('q');
  parameters.delete('q');
  return { type: typeOf(text), parameters, quality: quality === undefined ? 1 : Number(quality) || 0 };
}

function formOf({ type, parameters }: MediaRange): AnswerForm | undefined {
  const encoding = encodings[type];
  if (encoding === undefined || !Object.hasOwn(encodings, type)) return undefined;
  const as = parameters.get('as');
  if (as === undefined) return { as: 'object', metaVersion: 'v1', encoding };
  const metaVersion = parameters.get('v');
  if (parameters.get('g') !== 'meta.k8s.io' || (metaVersion !== 'v1' && metaVersion !== 'v1beta1')) return undefined;
  if (as === 'Table') return { as: 'table', metaVersion, encoding };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
    return { as: 'metadata', metaVersion, encoding };
  return undefined;
}

const encodings: Readonly<Record<string, 'json' | 'yaml'>> = {
  'application/json': 'json',
  'application/*': 'json',
  '*/*': 'json',
  'application/yaml': 'yaml',
};
