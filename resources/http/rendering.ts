import { formatYaml } from '../../base/index.ts';
import type { HeldObject, WatchEvent } from '../collection/collection.ts';
import { apiVersionOf, type ResourceType } from '../types/resource-type.ts';
import { bookmarkLine, eventLine, jsonListHead, partialObject } from './json-parts.ts';
import type { AnswerForm } from './media-type.ts';
import { TableRendering, type IncludeObject } from './table.ts';

/** What a list says of itself, `metav1.ListMeta`. */
export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/**
 * How objects of a type are written for one answer: an object, a list in pieces, the lines of a watch. One for each answer, since
 * it may know what it has written before.
 */
export interface Rendering {
  readonly contentType: string;
  /** Whether items go out as they are held, so that their lengths are known beforehand. */
  readonly isVerbatim: boolean;
  object(json: Buffer): Buffer;
  listHead(meta: ListMeta): Buffer;
  /** Between two items. */
  readonly separator: Buffer;
  item(object: HeldObject): Buffer;
  readonly listTail: Buffer;
  event(event: WatchEvent): Buffer;
  /** Nothing that is not known yet has changed up to this version. */
  bookmark(version: number, annotations?: Readonly<Record<string, string>>): Buffer;
}

/** `includeObject` is for tables. Default `Metadata`. */
export function renderingOf(
  type: ResourceType,
  form: AnswerForm,
  includeObject: IncludeObject = 'Metadata',
): Rendering {
  const json =
    form.as === 'table'
      ? new TableRendering(type, { metaVersion: form.metaVersion, includeObject })
      : form.as === 'metadata'
        ? new MetadataRendering(form.metaVersion)
        : new WholeRendering(type);
  return form.encoding === 'yaml' ? new YamlRendering(json) : json;
}

const comma = Buffer.from(',');
const listEnd = Buffer.from(']}\n');

/** Objects as they are held. */
class WholeRendering implements Rendering {
  readonly contentType = 'application/json';
  readonly isVerbatim = true;
  readonly separator = comma;
  readonly listTail = listEnd;
  readonly #type: ResourceType;

  constructor(type: ResourceType) {
    this.#type = type;
  }

  object(json: Buffer): Buffer {
    return json;
  }

  listHead(meta: ListMeta): Buffer {
    return jsonListHead(this.#type.listKind, apiVersionOf(this.#type), meta);
  }

  item({ json }: HeldObject): Buffer {
    return json;
  }

  event({ line }: WatchEvent): Buffer {
    return line;
  }

  bookmark(version: number, annotations?: Readonly<Record<string, string>>): Buffer {
    return bookmarkLine(this.#type.kind, apiVersionOf(this.#type), version, annotations);
  }
}

/** `PartialObjectMetadata`: for clients that care for names, labels and owners only. */
class MetadataRendering implements Rendering {
  readonly isVerbatim = false;
  readonly separator = comma;
  readonly listTail = listEnd;
  readonly contentType = 'application/json';
  readonly #apiVersion: string;

  constructor(metaVersion: string) {
    this.#apiVersion = `meta.k8s.io/${metaVersion}`;
  }

  object(json: Buffer): Buffer {
    return partialObject(json, this.#apiVersion);
  }

  listHead(meta: ListMeta): Buffer {
    return jsonListHead('PartialObjectMetadataList', this.#apiVersion, meta);
  }

  item({ json }: HeldObject): Buffer {
    return this.object(json);
  }

  event({ type, object }: WatchEvent): Buffer {
    return eventLine(type, this.item(object));
  }

  bookmark(version: number, annotations?: Readonly<Record<string, string>>): Buffer {
    return bookmarkLine('PartialObjectMetadata', this.#apiVersion, version, annotations);
  }
}

/** The same as YAML; a watch has no such form. */
class YamlRendering implements Rendering {
  readonly contentType = 'application/yaml';
  readonly isVerbatim = false;
  readonly separator = Buffer.alloc(0);
  readonly #json: Rendering;
  /** What the items stand under; written before the first. */
  #listKey = '';
  #isEmpty = true;

  constructor(json: Rendering) {
    this.#json = json;
  }

  object(json: Buffer): Buffer {
    return yamlOf(this.#json.object(json));
  }

  listHead(meta: ListMeta): Buffer {
    const whole = Buffer.concat([this.#json.listHead(meta), this.#json.listTail]).toString();
    const { items, rows: _rows, ...head } = JSON.parse(whole) as Record<string, unknown>;
    this.#listKey = items === undefined ? 'rows' : 'items';
    return Buffer.from(formatYaml(head));
  }

  item(object: HeldObject): Buffer {
    const lines = yamlOf(this.#json.item(object)).toString().trimEnd().split('\n');
    const key = this.#isEmpty ? `${this.#listKey}:\n` : '';
    this.#isEmpty = false;
    return Buffer.from(`${key}- ${lines.join('\n  ')}\n`);
  }

  get listTail(): Buffer {
    return Buffer.from(this.#isEmpty ? `${this.#listKey}: []\n` : '');
  }

  event(event: WatchEvent): Buffer {
    return this.#json.event(event);
  }

  bookmark(version: number, annotations?: Readonly<Record<string, string>>): Buffer {
    return this.#json.bookmark(version, annotations);
  }
}

function yamlOf(json: Buffer): Buffer {
  return Buffer.from(formatYaml(JSON.parse(json.toString())));
}
