import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseYamlDocuments } from '../../base/index.ts';
import {
  heldObject,
  knownType,
  loadDefinitions,
  ResourceApi,
  WatchCache,
  type KubeObject,
  type ResourceType,
} from '../../resources/index.ts';

const GROUP = 'apiextensions.k8s.io';

export interface Definitions {
  readonly types: readonly ResourceType[];
  /** The definitions themselves, as clients look them up: for the columns of a kind, or to wait until it is there. */
  readonly api: ResourceApi;
}

/**
 * The kinds that files of CustomResourceDefinitions define. Throws `definition-invalid` with file, line and field, and what
 * reading a file throws.
 */
export async function readDefinitions(files: readonly string[], nowMs: number): Promise<Definitions> {
  const texts = await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')] as const));
  const types = texts.flatMap(([file, text]) => loadDefinitions(text, file));
  const known = knownType(GROUP, 'v1', 'customresourcedefinitions');
  if (known === undefined) throw new Error('the kind of definitions is not known');
  const type: ResourceType = { ...known, verbs: ['get', 'list', 'watch'], hasStatus: false };
  // They are what the files say, anew at each start: of a later start all versions are higher.
  const collection = new WatchCache(type, { version: nowMs });
  for (const definition of texts.flatMap(([, text]) => objectsIn(text)))
    collection.put(heldObject(served(definition, collection.version + 1, nowMs), type));
  const readOnly = 'kinds are defined by the files that the agent’s configuration names';
  return { types, api: new ResourceApi({ collection, readOnly }) };
}

/** What `loadDefinitions` has checked. */
function objectsIn(text: string): readonly KubeObject[] {
  const documents = parseYamlDocuments(text);
  return 'problems' in documents ? [] : documents.map(({ value }) => value as KubeObject);
}

function served(definition: KubeObject, version: number, nowMs: number): KubeObject {
  const creationTimestamp = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const { names, versions } = definition['spec'] as {
    readonly names: object;
    readonly versions: readonly { readonly name: string; readonly storage: boolean }[];
  };
  const condition = { status: 'True', lastTransitionTime: creationTimestamp };
  return {
    ...definition,
    metadata: { ...definition.metadata, uid: randomUUID(), resourceVersion: String(version), creationTimestamp },
    status: {
      acceptedNames: names,
      storedVersions: versions.filter(({ storage }) => storage).map(({ name }) => name),
      conditions: [
        { ...condition, type: 'NamesAccepted', reason: 'NoConflicts' },
        { ...condition, type: 'Established', reason: 'InitialNamesAccepted' },
      ],
    },
  };
}
