import { CodedError, type KubeApi, type KubeObject } from '../sdk/index.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { namespaceOption, shownName, targetOptions, withKube } from './kube-target.ts';
import { readManifests, type Manifest } from './manifest.ts';
import { print } from './terminal.ts';
import { threeWayPatch } from './three-way-patch.ts';

export const applyCommand: CommandSpec = {
  name: 'apply',
  summary: 'create the objects of files, or change them to what the files say',
  options: [
    ...targetOptions,
    namespaceOption,
    { flags: '-f, --file FILE', help: 'YAML or JSON, of one or many objects; - is the standard input', many: true },
    { flags: '--dry-run', help: 'the server checks everything, and nothing is done' },
  ],
  notes:
    'All files are read and checked before the first write. What was applied is kept in the annotation that kubectl uses too, so that what a file no longer says is taken away, and what others wrote stays.',
  examples: ['apply -f policy.yaml', 'apply -f vm.yaml -f disk.yaml --edge edge-1', 'apply -f - --edge edge-1 -n shop'],
  run: apply,
};

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** An object as a file says it. */
interface Declared {
  readonly metadata: KubeObject['metadata'];
  readonly [key: string]: unknown;
}

/** Reads and writes of one object that others write too. */
const MAX_TRIES = 5;

async function apply(input: CommandInput): Promise<void> {
  await withKube(input, async (kube) => {
    const isDryRun = input.flag('dryRun');
    for (const manifest of await readManifests(kube, input.list('file'), input.text('namespace'))) {
      const done = await applyOne(kube, manifest, isDryRun);
      print(`${shownName(manifest.resource, manifest.object.metadata.name)} ${done}${isDryRun ? ' (dry run)' : ''}\n`);
    }
  });
}

async function applyOne(
  kube: KubeApi,
  manifest: Manifest,
  isDryRun: boolean,
): Promise<'created' | 'configured' | 'unchanged'> {
  const { object, resource, namespace, at } = manifest;
  const place = { namespace, name: object.metadata.name };
  const query = { dryRun: isDryRun ? 'All' : undefined, fieldManager: 'causeway' };
  const declared = declaredBy(manifest);
  const text = `${JSON.stringify(declared)}\n`;
  for (let attempt = 1; ; attempt++) {
    try {
      const current = await found(kube.client.get(resource, place));
      if (current === undefined) {
        const annotations = { ...declared.metadata.annotations, [LAST_APPLIED]: text };
        const wanted = { ...declared, metadata: { ...declared.metadata, annotations } };
        await kube.client.create(resource, namespace, wanted, { query });
        return 'created';
      }
      const patch = patchFor(declared, text, current.value);
      if (patch === undefined) return 'unchanged';
      await kube.client.patch(resource, place, 'merge', patch, { query });
      return 'configured';
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // Another was faster: it is looked at again what there is to do.
      if (error.status === 409 && attempt < MAX_TRIES) continue;
      throw new CodedError(error.code, `${at}: ${error.message}`, {
        status: error.status,
        retryable: error.retryable,
        ...(error.fix === undefined ? {} : { fix: error.fix }),
        cause: error,
      });
    }
  }
}

/** What makes the object what the file says. Undefined when it is that already, whatever the text of the annotation. */
function patchFor(declared: Declared, text: string, current: KubeObject): object | undefined {
  const annotation = current.metadata.annotations?.[LAST_APPLIED];
  const last = annotation === undefined ? undefined : parsed(annotation);
  const change = threeWayPatch(last, declared, current);
  if (change === undefined && isObject(last) && threeWayPatch(last, declared, last) === undefined) return undefined;
  const metadata = isObject(change?.['metadata']) ? change['metadata'] : {};
  const annotations = isObject(metadata['annotations']) ? metadata['annotations'] : {};
  return { ...change, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } };
}

/**
 * What the file says: without the server's own fields and the annotation of an earlier `apply`, as they stand in a file
 * that came from `get -o yaml`.
 */
function declaredBy({ object, namespace }: Manifest): Declared {
  const { status: _status, ...rest } = object;
  const {
    resourceVersion: _version,
    uid: _uid,
    creationTimestamp: _created,
    generation: _generation,
    managedFields: _managed,
    ...metadata
  } = object.metadata;
  const { [LAST_APPLIED]: _last, ...annotations } = metadata.annotations ?? {};
  return { ...rest, metadata: { ...metadata, ...(namespace === '' ? {} : { namespace }), annotations } };
}

async function found<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof CodedError && error.status === 404 && error.code === 'object-not-found') return undefined;
    throw error;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
