import { open } from 'node:fs/promises';

import { baseError } from './base-error.ts';
import { nearest } from './nearest.ts';
import {
  describeAllowed,
  keysOf,
  shapeOf,
  shapeUnder,
  validate,
  variantsOf,
  type SchemaProblem,
  type SchemaShape,
  type z,
} from './schema.ts';
import { parseYaml, type YamlText } from './yaml.ts';

/** A longer file is no configuration: it is refused before it is read. */
const maxConfigBytes = 1024 * 1024;

type Path = readonly (string | number)[];

export interface ConfigSources {
  /** One YAML file. Without it the configuration is what the environment, the flags and the defaults say. */
  readonly file?: string | undefined;
  /** Usually `process.env`. An empty variable counts as not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `CAUSEWAY_GATEWAY` lets `CAUSEWAY_GATEWAY_LINK_PORT` set `link.port`. Without it the environment is not read. */
  readonly envPrefix?: string;
  /** What the command line said, nested as the configuration is; undefined members are not set. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Told of variables that begin with the prefix and name no key: Kubernetes sets such ones by itself, so they are no error. */
  readonly warn?: (message: string) => void;
}

/** A value and what set it, for the message when it is wrong. */
interface Setting {
  readonly path: Path;
  readonly value: unknown;
  readonly from: string;
}

/**
 * Reads the configuration of one role. Flags win over the environment, the environment over the file, the file over the
 * schema's defaults. Every key that the schema names has a variable, also whole objects and lists, written as YAML or JSON;
 * a list of strings may be given with commas.
 *
 * The schema's objects have to be `z.strictObject`: a key that nothing reads is a mistake of the writer.
 *
 * Throws `config-missing` when the file cannot be read, and one `config-invalid` that names every problem: file and line
 * (or variable, or flag), key, what is wrong, what is allowed.
 */
export async function loadConfig<S extends z.ZodType>(schema: S, sources: ConfigSources): Promise<z.output<S>> {
  const shape = shapeOf(schema);
  requireStrict(shape, []);
  const text = sources.file === undefined ? undefined : readYaml(sources.file, await readBounded(sources.file));
  const settings = [...environmentSettings(shape, sources), ...flagSettings(sources.flags ?? {}, [])];

  let value: unknown = text?.value ?? {};
  for (const setting of settings) value = withSetting(value, setting.path, setting.value);
  const result = validate<z.output<S>>(schema as z.ZodType<z.output<S>>, value);
  if ('value' in result) return result.value;

  const lines = result.problems.map((problem) => {
    return `${placeOf(problem, settings, text, sources)}: ${describeProblem(problem, shape)}`;
  });
  throw baseError('config-invalid', { detail: `\n  ${lines.join('\n  ')}` });
}

/** The variable that sets the key at `path`: `link.maxStreams` is `PREFIX_LINK_MAX_STREAMS`. */
export function environmentName(prefix: string, path: Path): string {
  const words = path.map((key) =>
    String(key)
      .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replaceAll('-', '_')
      .toUpperCase(),
  );
  return [prefix, ...words].join('_');
}

async function readBounded(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const buffer = Buffer.allocUnsafe(maxConfigBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (length > maxConfigBytes)
        throw baseError('config-invalid', { detail: `${file}: longer than ${maxConfigBytes} bytes` });
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw baseError('config-missing', { detail: file, cause: error });
    throw error;
  }
}

function readYaml(file: string, content: string): YamlText {
  const text = parseYaml(content);
  if ('problems' in text) {
    const lines = text.problems.map((problem) => `${file}:${problem.line}: ${problem.message}`);
    throw baseError('config-invalid', { detail: `\n  ${lines.join('\n  ')}` });
  }
  return text;
}

function requireStrict(shape: SchemaShape, path: Path): void {
  for (const variant of variantsOf(shape)) {
    if (variant.properties === undefined) continue;
    if (variant.additionalProperties === undefined) throw new TypeError(`use z.strictObject at ${keyName(path)}`);
    for (const [key, child] of Object.entries(variant.properties)) requireStrict(child, [...path, key]);
  }
}

function environmentSettings(shape: SchemaShape, { env, envPrefix, warn }: ConfigSources): Setting[] {
  if (env === undefined || envPrefix === undefined) return [];
  const keys = new Map<string, { path: Path; shape: SchemaShape }>();
  collectKeys(shape, [], (path, child) => {
    const name = environmentName(envPrefix, path);
    if (keys.has(name)) throw new TypeError(`two keys share the variable ${name}`);
    keys.set(name, { path, shape: child });
  });
  const settings: Setting[] = [];
  // Parents come before their children, so that a variable for one key corrects what another gave as a whole.
  for (const [name, key] of keys) {
    const text = env[name];
    if (text === undefined || text === '') continue;
    settings.push({ path: key.path, value: environmentValue(text, key.shape), from: `$${name}` });
  }
  for (const name of Object.keys(env)) {
    if (!name.startsWith(`${envPrefix}_`) || keys.has(name)) continue;
    const meant = nearest(name, keys.keys());
    warn?.(`$${name} names no key${meant === undefined ? '' : `; did you mean $${meant}?`}`);
  }
  return settings;
}

function collectKeys(shape: SchemaShape, path: Path, found: (path: Path, shape: SchemaShape) => void): void {
  for (const key of keysOf(shape)) {
    const child = shapeUnder(shape, key) ?? {};
    found([...path, key], child);
    collectKeys(child, [...path, key], found);
  }
}

function environmentValue(text: string, shape: SchemaShape): unknown {
  const variants = variantsOf(shape).filter((variant) => variant.type !== undefined);
  if (variants.length > 0 && variants.every((variant) => variant.type === 'string')) return text;
  const strings = variants.some((variant) => variant.type === 'array' && variant.items?.type === 'string');
  if (strings && !text.startsWith('[')) return text.split(',').map((item) => item.trim());
  const parsed = parseYaml(text);
  return 'problems' in parsed ? text : parsed.value;
}

function flagSettings(flags: Readonly<Record<string, unknown>>, path: Path): Setting[] {
  return Object.entries(flags).flatMap(([key, value]): Setting[] => {
    if (value === undefined) return [];
    if (isRecord(value)) return flagSettings(value, [...path, key]);
    return [{ path: [...path, key], value, from: `flag ${keyName([...path, key])}` }];
  });
}

function withSetting(target: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const record = isRecord(target) ? target : {};
  const current = Object.hasOwn(record, key) ? record[key] : undefined;
  return { ...record, [key]: withSetting(current, rest, value) };
}

function placeOf(
  problem: SchemaProblem,
  settings: readonly Setting[],
  text: YamlText | undefined,
  sources: ConfigSources,
): string {
  const path = problem.unknownKeys[0] === undefined ? problem.path : [...problem.path, problem.unknownKeys[0]];
  const setting = settings.findLast((candidate) =>
    candidate.path.every((key, index) => String(path[index]) === String(key)),
  );
  if (setting !== undefined) return setting.from;
  return text === undefined ? 'configuration' : `${sources.file}:${text.lineOf(path)}`;
}

function describeProblem(problem: SchemaProblem, root: SchemaShape): string {
  const shape = problem.path.reduce<SchemaShape | undefined>((at, key) => at && shapeUnder(at, key), root);
  const where = problem.path.length === 0 ? '' : `${keyName(problem.path)}: `;
  if (problem.unknownKeys.length > 0) {
    const known = shape === undefined ? [] : keysOf(shape);
    const meant = nearest(problem.unknownKeys[0] ?? '', known);
    return `${where}${problem.message}${meant === undefined ? '' : `; did you mean "${meant}"?`} allowed: ${known.join(', ')}`;
  }
  const allowed = shape === undefined ? '' : describeAllowed(shape);
  return `${where}${problem.message}${allowed === '' ? '' : `; allowed: ${allowed}`}`;
}

function keyName(path: Path): string {
  return path.length === 0 ? 'the top level' : path.join('.');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
