import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifecycle, type Clock, type Log } from '../../base/index.ts';
import {
  ApiServer,
  embeddedTypes,
  fullAccess,
  ResourceApi,
  ResourceApis,
  reviewApis,
  StoreFeed,
  type ResourceHooks,
  type ResourceType,
} from '../../resources/index.ts';
import { openEmbeddedStore } from '../../store/index.ts';
import { readDefinitions } from './definitions.ts';
import { EventExpiry } from './event-expiry.ts';
import { namespaceHooks, Namespaces } from './namespaces.ts';
import { readNodeFacts } from './node-facts.ts';
import { NodeKeeper } from './node-keeper.ts';

export interface EdgeApiOptions {
  /** Where its objects are kept; made when it is missing. */
  readonly data: string;
  /** Files of CustomResourceDefinitions, several to a file if need be; their kinds are served as well. */
  readonly definitions?: readonly string[];
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly wallClock?: () => number;
  readonly log: Log;
}

/** A Kubernetes API without Kubernetes: what an edge of one machine serves as `kube`. */
export interface EdgeApi {
  /** The unix socket that it listens on. Only this user may open it. */
  readonly socketPath: string;
  /** For what runs in the agent itself. */
  readonly apis: ResourceApis;
  /** May be called twice. */
  close(): Promise<void>;
}

/** The header in which the agent says on whose behalf a request comes. */
export const PRINCIPAL_HEADER = 'x-causeway-principal';

/** Opens the store, makes what every cluster has, and listens. Errors: the store's, those of the definitions' files. */
export async function startEdgeApi(options: EdgeApiOptions): Promise<EdgeApi> {
  const { data, definitions = [], agentVersion, clock, wallClock = Date.now, log } = options;
  const lifecycle = new Lifecycle({ clock, onStep: (step, reason) => log.debug('closing', { step, reason }) });
  try {
    return await assemble();
  } catch (error) {
    await lifecycle.close('the start failed');
    throw error;
  }

  async function assemble(): Promise<EdgeApi> {
    await mkdir(data, { recursive: true, mode: 0o700 });
    const store = openEmbeddedStore({ file: join(data, 'edge-api.db') });
    lifecycle.onClose('store', () => store.close());
    const feed = new StoreFeed({ store, clock, onFault: (error) => log.warn('edge-api-store-fault', { error }) });
    await feed.start();
    lifecycle.onClose('store feed', () => feed.close());

    const apis = new ResourceApis({ onBackgroundError: (error) => log.warn('edge-api-cleanup-failed', { error }) });
    const custom = await readDefinitions(definitions, wallClock());
    apis.add(custom.api);
    // In discovery only: replicas, which know who calls, answer them.
    for (const api of reviewApis()) apis.add(api);
    const types = [...embeddedTypes, ...custom.types];
    for (const type of types) {
      const collection = await feed.collection(keptAs(type, types));
      apis.add(new ResourceApi({ type, collection, hooks: hooksOf(type), wallClock }));
    }
    const core = (resource: string): ResourceApi => {
      const api = apis.find('', 'v1', resource);
      if (api === undefined) throw new Error(`the embedded kinds have no ${resource}`);
      return api;
    };
    const namespaces = new Namespaces({ apis, namespaces: core('namespaces'), clock, log });
    await namespaces.start();
    lifecycle.onClose('namespaces', () => namespaces.close());
    const facts = () => readNodeFacts({ data });
    const node = new NodeKeeper({ nodes: core('nodes'), facts, agentVersion, clock, wallClock, log });
    await node.start();
    lifecycle.onClose('node', () => node.close());
    const expiry = new EventExpiry({ events: core('events'), clock, wallClock, log });
    lifecycle.onClose('events', () => expiry.close());

    const socketPath = await listen(apis);
    return { socketPath, apis, close: () => lifecycle.close('closed') };

    function hooksOf(type: ResourceType): ResourceHooks {
      if (!type.namespaced) return type.group === '' && type.resource === 'namespaces' ? namespaceHooks : {};
      return {
        admit: async ({ verb, namespace }) => {
          if (verb === 'create') await namespaces.admit(namespace);
        },
      };
    }
  }

  /** In a folder of its own, since a socket's path may have 107 bytes only, and `data` may be longer. */
  async function listen(apis: ResourceApis): Promise<string> {
    const api = new ApiServer({
      apis,
      version: agentVersion,
      onError: (error) => log.error('edge-api-failed', { error }),
    });
    const server = createServer((request, response) => {
      const said = request.headers[PRINCIPAL_HEADER];
      const access = fullAccess(typeof said === 'string' ? said : 'agent');
      void api.answer(request, response, request.url ?? '/', access).then((isAnswered) => {
        if (!isAnswered) response.writeHead(404).end();
      });
    });
    const folder = await mkdtemp(join(tmpdir(), 'causeway-'));
    lifecycle.onClose('socket folder', () => rm(folder, { recursive: true, force: true }));
    const socketPath = join(folder, 'kube.sock');
    server.listen(socketPath);
    await once(server, 'listening');
    lifecycle.onClose('listener', async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    return socketPath;
  }
}

/** All versions of a kind are the same objects, kept as the version that its definition says, or as the first that is served. */
function keptAs(type: ResourceType, types: readonly ResourceType[]): ResourceType {
  const versions = types.filter(({ group, resource }) => group === type.group && resource === type.resource);
  return versions.find(({ version }) => version === type.storageVersion) ?? versions[0] ?? type;
}
