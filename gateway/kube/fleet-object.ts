import { spliceMetadata, type HeldObject } from '../../resources/index.ts';

const EDGE_LABEL = 'causeway.io/edge';
const NAME_ANNOTATION = 'causeway.io/name';

/** An object's name among all edges. Names of edges have no dots, so it is read back one way only. */
export function fleetName(edge: string, name: string): string {
  return `${edge}.${name}`;
}

/** The edge in a name of the fleet, and the name there; undefined when it is none. */
export function partsOfFleetName(name: string): { readonly edge: string; readonly name: string } | undefined {
  const dot = name.indexOf('.');
  return dot < 1 ? undefined : { edge: name.slice(0, dot), name: name.slice(dot + 1) };
}

/**
 * An object of an edge as the fleet shows it: under its fleet name, with the edge in a label, its own name in an annotation, and
 * the fleet's version. It holds a reference to the edge's bytes; its own are made when they go out.
 */
export class FleetObject implements HeldObject {
  readonly edge: string;
  readonly name: string;
  readonly version: number;
  #source: HeldObject;

  constructor(edge: string, source: HeldObject, version: number) {
    this.edge = edge;
    this.name = fleetName(edge, source.name);
    this.version = version;
    this.#source = source;
  }

  get source(): HeldObject {
    return this.#source;
  }

  get namespace(): string {
    return this.#source.namespace;
  }

  get json(): Buffer {
    const { edge, name, version } = this;
    return spliceMetadata(this.#source.json, {
      name,
      resourceVersion: String(version),
      labels: { [EDGE_LABEL]: edge },
      annotations: { [NAME_ANNOTATION]: this.#source.name },
    });
  }

  /** While this is kept, so is what it refers to. */
  get heldBytes(): number {
    return this.#source.json.length;
  }

  get labels(): Readonly<Record<string, string>> {
    return { ...this.#source.labels, [EDGE_LABEL]: this.edge };
  }

  get fields(): Readonly<Record<string, string>> {
    return this.#source.fields;
  }

  /** The same state, held anew: the bytes that were held before may go. */
  rebind(source: HeldObject): void {
    this.#source = source;
  }
}
