import type { FieldError } from './field-error.ts';
import type { ObjectSchema, ResourceType } from './resource-type.ts';
import { compileShape, type Shaped, type ShapeFunction } from './schema-shape.ts';
import { compileValidator, type Validator } from './schema-validator.ts';

/** What a type's schema does to its objects; compiled when it is first needed. */
export interface SchemaCheck {
  /**
   * What the schema leaves of an object: unknown fields and nulls that mean "not set" are taken out, defaults are put in.
   * The object itself is not changed; it is returned when there was nothing to do.
   */
  shape(object: Readonly<Record<string, unknown>>): Shaped;
  /** Every field that breaks the schema, at most `maxFieldErrors`; none: it is valid. For an object that was shaped. */
  validate(object: Readonly<Record<string, unknown>>): readonly FieldError[];
  /** Compiles now, some 10 to 50 ms for a large schema, what the first write would compile. */
  prepare(): void;
}

const checks = new WeakMap<ObjectSchema, SchemaCheck>();

/** The check of a type, one for each schema. Throws `definition-invalid` at first use when the schema cannot be compiled. */
export function schemaCheckOf({ schema }: Pick<ResourceType, 'schema'>): SchemaCheck {
  let check = checks.get(schema);
  if (check === undefined) {
    check = new LazyCheck(schema);
    checks.set(schema, check);
  }
  return check;
}

/** `unknown field "spec.foo"`: as a warning, or as a part of the refusal of a strict write. */
export function unknownFieldMessage(field: string): string {
  return `unknown field "${field}"`;
}

class LazyCheck implements SchemaCheck {
  readonly #schema: ObjectSchema;
  #shape: ShapeFunction | undefined;
  #validator: Validator | undefined;

  constructor(schema: ObjectSchema) {
    this.#schema = schema;
  }

  shape(object: Readonly<Record<string, unknown>>): Shaped {
    this.#shape ??= compileShape(this.#schema);
    return this.#shape(object);
  }

  validate(object: Readonly<Record<string, unknown>>): readonly FieldError[] {
    this.#validator ??= compileValidator(this.#schema);
    return this.#validator(object);
  }

  prepare(): void {
    this.#shape ??= compileShape(this.#schema);
    this.#validator ??= compileValidator(this.#schema);
  }
}
