import type { HeldObject, WatchEvent } from '../collection/collection.ts';
import { tableColumnsOf, type Cell, type TableColumns } from '../types/table-columns.ts';
import type { ResourceType } from '../types/resource-type.ts';
import { eventLine, partialObject } from './json-parts.ts';
import type { ListMeta, Rendering } from './rendering.ts';

/** What of each object stands in its row, beside the cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions {
  readonly metaVersion: string;
  readonly includeObject: IncludeObject;
  /** Milliseconds since 1970, for ages. Default the machine's clock. */
  readonly wallClock?: () => number;
}

/** `meta.k8s.io` Table: what `kubectl get` shows. Cells are computed from the parsed object, which is the price of a table. */
export class TableRendering implements Rendering {
  readonly contentType = 'application/json';
  readonly isVerbatim = false;
  readonly separator = Buffer.from(',');
  readonly listTail = Buffer.from(']}\n');
  readonly #columns: TableColumns;
  readonly #options: Required<TableOptions>;
  readonly #head: string;
  #hasColumns = false;

  constructor(type: ResourceType, options: TableOptions) {
    this.#columns = tableColumnsOf(type);
    this.#options = { wallClock: Date.now, ...options };
    this.#head = `{"kind":"Table","apiVersion":"meta.k8s.io/${options.metaVersion}"`;
  }

  object(json: Buffer): Buffer {
    const object = parse(json);
    const meta = { resourceVersion: versionOf(object) };
    return Buffer.concat([this.#begin(meta), this.#row(object, json), this.listTail]);
  }

  listHead(meta: ListMeta): Buffer {
    return this.#begin(meta);
  }

  item({ json }: HeldObject): Buffer {
    return this.#row(parse(json), json);
  }

  event({ type, object: { json } }: WatchEvent): Buffer {
    return eventLine(type, this.object(json).subarray(0, -1));
  }

  bookmark(version: number): Buffer {
    const table = Buffer.concat([this.#begin({ resourceVersion: String(version) }), this.listTail]);
    return eventLine('BOOKMARK', table.subarray(0, -1));
  }

  /** The columns stand in the first table of a watch only. */
  #begin(meta: ListMeta): Buffer {
    const columns = this.#hasColumns ? null : this.#columns.definitions;
    this.#hasColumns = true;
    return Buffer.from(
      `${this.#head},"metadata":${JSON.stringify(meta)},"columnDefinitions":${JSON.stringify(columns)},"rows":[`,
    );
  }

  #row(object: Readonly<Record<string, unknown>>, json: Buffer): Buffer {
    const cells: readonly Cell[] = this.#columns.cells(object, this.#options.wallClock());
    const head = `{"cells":${JSON.stringify(cells)},"object":`;
    switch (this.#options.includeObject) {
      case 'None':
        return Buffer.from(`${head}null}`);
      case 'Metadata':
        return Buffer.concat([
          Buffer.from(head),
          partialObject(json, `meta.k8s.io/${this.#options.metaVersion}`),
          Buffer.from('}'),
        ]);
      case 'Object':
        return Buffer.concat([Buffer.from(head), json, Buffer.from('}')]);
    }
  }
}

/** What a collection holds is an object of JSON. */
function parse(json: Buffer): Readonly<Record<string, unknown>> {
  return JSON.parse(json.toString()) as Readonly<Record<string, unknown>>;
}

function versionOf({ metadata }: Readonly<Record<string, unknown>>): string {
  const known = typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata;
  return known ? String(metadata.resourceVersion) : '';
}
