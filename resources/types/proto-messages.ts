import protobuf from 'protobufjs/light.js';

/** The fields of a message: names and numbers as in its `.proto`. A `map` has strings for keys, and this type of values. */
export type MessageFields = Readonly<Record<string, readonly [type: string, id: number, rule?: 'repeated' | 'map']>>;

/** Protobuf messages by name. The one file that imports protobufjs. */
export class ProtoMessages {
  readonly #root: protobuf.Root;

  constructor(messages: Readonly<Record<string, MessageFields>>) {
    const nested: Record<string, protobuf.IType> = {};
    for (const [name, fields] of Object.entries(messages))
      nested[name] = {
        fields: Object.fromEntries(Object.entries(fields).map(([field, shape]) => [field, fieldOf(shape)])),
      };
    this.#root = protobuf.Root.fromJSON({ nested });
  }

  encode(name: string, value: object): Buffer {
    const type = this.#root.lookupType(name);
    return Buffer.from(type.encode(type.create(value)).finish());
  }

  /** Fields that are not there are missing; numbers are numbers, bytes base64. Throws for what is no such message. */
  decode(name: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
    const type = this.#root.lookupType(name);
    return type.toObject(type.decode(bytes), { longs: Number, bytes: String });
  }
}

function fieldOf([type, id, rule]: MessageFields[string]): protobuf.IField | protobuf.IMapField {
  if (rule === 'map') return { keyType: 'string', type, id };
  return rule === undefined ? { type, id } : { type, id, rule };
}
