import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseYamlDocuments, type YamlText } from '../base/index.ts';
import type { KubeApi, FoundResource, KubeObject } from '../sdk/index.ts';
import { CodedError } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';

/** One object of a file, and where it goes. */
export interface Manifest {
  readonly object: KubeObject & { readonly metadata: { readonly name: string } };
  readonly resource: FoundResource;
  /** Empty for what belongs to none. */
  readonly namespace: string;
  /** `web.yaml:12`, for messages. */
  readonly at: string;
}

const MAX_FILE_BYTES = 16 * 1024 * 1024;

/**
 * Reads YAML and JSON files of one or many objects, `-` for the standard input, and finds out where each object goes.
 * Throws `manifest-invalid` with everything that is wrong in any of them, `file-failed`, `usage`.
 */
export async function readManifests(
  kube: KubeApi,
  files: readonly string[],
  namespace: string | undefined,
): Promise<readonly Manifest[]> {
  if (files.length === 0) throw cliError('usage', 'name a file with -f; - is the standard input');
  const problems: string[] = [];
  const found: Manifest[] = [];
  for (const file of files) {
    for (const { value, at } of await objectsIn(file, problems)) {
      const manifest = await manifestOf(kube, value, namespace).catch((error: unknown) => {
        if (error instanceof CodedError && error.code === 'resource-unknown') return error.message;
        throw error;
      });
      if (typeof manifest === 'string') problems.push(`${at}: ${manifest}`);
      else found.push({ ...manifest, at });
    }
  }
  const twice = found.find((each, index) => found.findIndex((other) => isSame(each, other)) < index);
  if (twice !== undefined)
    problems.push(`${twice.at}: ${twice.object.kind} ${twice.object.metadata.name} is there twice`);
  if (problems.length > 0) throw cliError('manifest-invalid', problems.slice(0, 20).join('\n  '));
  if (found.length === 0) throw cliError('manifest-invalid', `no object in ${files.join(', ')}`);
  return found;
}

interface Located {
  readonly value: unknown;
  readonly at: string;
}

async function objectsIn(file: string, problems: string[]): Promise<readonly Located[]> {
  const parsed = parseYamlDocuments(await contentOf(file));
  const name = file === '-' ? 'stdin' : file;
  if ('problems' in parsed) {
    problems.push(...parsed.problems.map(({ line, message }) => `${name}:${line}: ${message}`));
    return [];
  }
  return parsed.flatMap((document) => membersOf(document).map(({ value, line }) => ({ value, at: `${name}:${line}` })));
}

/** The objects of a document: itself, or the items of a list; none of an empty one. */
function membersOf(document: YamlText): readonly { readonly value: unknown; readonly line: number }[] {
  const { value } = document;
  if (value == null) return [];
  if (
    isRecord(value) &&
    typeof value['kind'] === 'string' &&
    value['kind'].endsWith('List') &&
    Array.isArray(value['items'])
  )
    return value['items'].map((item: unknown, index) => ({ value: item, line: document.lineOf(['items', index]) }));
  return [{ value, line: document.lineOf([]) }];
}

/** What is wrong with it, when it is no object that can be applied. */
async function manifestOf(
  kube: KubeApi,
  value: unknown,
  namespace: string | undefined,
): Promise<Omit<Manifest, 'at'> | string> {
  if (!isRecord(value)) return 'no object';
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string' || apiVersion === '') return 'apiVersion is missing';
  if (typeof kind !== 'string' || kind === '') return 'kind is missing';
  if (!isRecord(metadata)) return `${kind} without metadata`;
  const { name, namespace: own } = metadata;
  if (typeof name !== 'string' || name === '') return `${kind} without metadata.name`;
  if (own !== undefined && typeof own !== 'string') return `metadata.namespace of ${kind} ${name} is no text`;
  const resource = await kube.discovery.ofKind(apiVersion, kind);
  if (!resource.namespaced && own !== undefined && own !== '') return `${kind} ${name} belongs to no namespace`;
  if (own !== undefined && own !== '' && namespace !== undefined && own !== namespace)
    return `${kind} ${name} is of the namespace ${own}, and --namespace says ${namespace}`;
  const object = value as Manifest['object'];
  return { object, resource, namespace: resource.namespaced ? own || namespace || 'default' : '' };
}

function isSame(one: Manifest, other: Manifest): boolean {
  return (
    one.resource.resource === other.resource.resource &&
    one.resource.group === other.resource.group &&
    one.namespace === other.namespace &&
    one.object.metadata.name === other.object.metadata.name
  );
}

async function contentOf(file: string): Promise<string> {
  try {
    const content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
    if (content.length > MAX_FILE_BYTES) throw new Error(`more than ${MAX_FILE_BYTES} bytes`);
    return content;
  } catch (cause) {
    throw cliError('file-failed', file, cause);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
