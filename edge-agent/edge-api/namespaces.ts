import { everything, fullAccess, objectNotFound, type ResourceApi, type ResourceApis } from '../../resources/index.ts';

/** What every cluster has. */
const FIRST = ['default', 'kube-system'];
const AGENT = fullAccess('agent');

/** Makes the namespaces that are expected to be there. */
export async function ensureNamespaces(namespaces: ResourceApi): Promise<void> {
  for (const name of FIRST) {
    if ((await namespaces.collection.get('', name)) !== undefined) continue;
    await namespaces.create(AGENT, '', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
}

/** Refuses what is made in a namespace that does not exist: `object-not-found`. */
export async function requireNamespace(namespaces: ResourceApi, name: string): Promise<void> {
  if (name === '' || (await namespaces.collection.get('', name)) !== undefined) return;
  throw objectNotFound(namespaces.type, name);
}

/** Deletes everything in a namespace that is gone. */
export async function emptyNamespace(apis: ResourceApis, namespace: string): Promise<void> {
  for (const api of apis) {
    if (!api.type.namespaced || !api.isWritable) continue;
    await api.deleteCollection(AGENT, { namespace, selector: everything, at: { match: 'newest' } });
  }
}
