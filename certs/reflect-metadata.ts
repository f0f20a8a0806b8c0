/**
 * The three functions of the old "Reflect metadata" proposal that @peculiar/x509's dependency container (tsyringe) asks
 * for when it is loaded. It keys by class and name only, so a WeakMap is all of it. One that is there already stays.
 */
const records = new WeakMap<object, Map<unknown, unknown>>();

function read(key: unknown, target: object): unknown {
  return records.get(target)?.get(key);
}

function define(key: unknown, value: unknown, target: object): void {
  const record = records.get(target) ?? new Map<unknown, unknown>();
  records.set(target, record.set(key, value));
}

if (!('getMetadata' in Reflect)) {
  Object.assign(Reflect, { getMetadata: read, getOwnMetadata: read, defineMetadata: define });
}
