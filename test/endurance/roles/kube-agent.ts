/** An agent whose edge has the embedded Kubernetes API, and a program at the edge that writes to it. */
import { createLog, silentLog, systemClock } from '../../../base/index.ts';
import { startEdgeApi } from '../../../edge-agent/edge-api/index.ts';
import { agentConfigSchema, startAgent } from '../../../edge-agent/index.ts';
import { everything, fullAccess, type KubeObject } from '../../../resources/index.ts';
import { StoreCollection } from '../../../resources/collection/store-collection.ts';
import { BEFORE, COMMIT, type Commit } from '../commits.ts';
import { heap, roleOptions, serveRole, settle } from '../role.ts';

export interface WriteInput {
  readonly commits: number;
  readonly perSecond: number;
  readonly objects: number;
}

const NAMESPACE = 'default';
const TICK_MS = 20;
const FILLER = 'as much as there is in a small ConfigMap; '.repeat(8);

const { data, ...options } = roleOptions() as { readonly data: string };
const edgeApi = await startEdgeApi({ data, agentVersion: 'test', clock: systemClock, log: silentLog });
const kube = {
  name: 'kube',
  kind: 'http',
  url: 'http://kube',
  socketPath: edgeApi.socketPath,
  cache: { resources: ['configmaps', 'nodes'] },
};
const config = agentConfigSchema.parse({ ...options, services: [kube] });
const agent = await startAgent({
  config,
  log: createLog({ name: 'agent', level: config.log }),
  version: 'test',
  env: {},
});

const found = edgeApi.apis.find('', 'v1', 'configmaps');
if (found === undefined) throw new Error('the embedded API has no ConfigMaps');
const configMaps = found;
const access = fullAccess('writer');
const log: Commit[] = [];
/** By name, the last commit of what there is, or of what was deleted. */
const newest = new Map<string, { readonly number: number; readonly isThere: boolean }>();
let isWriting = false;

/** One commit; the log has it when the store has. */
async function commit(name: string, chance: number): Promise<void> {
  const { number: before, isThere } = newest.get(name) ?? { number: 0, isThere: false };
  const number = log.length + 1;
  const isDelete = isThere && chance < 0.05;
  if (isDelete) await configMaps.delete(access, NAMESPACE, name);
  else {
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: NAMESPACE, annotations: { [COMMIT]: String(number), [BEFORE]: String(before) } },
      data: { text: `${number} ${FILLER}` },
    };
    if (isThere) await configMaps.update(access, NAMESPACE, name, object);
    else await configMaps.create(access, NAMESPACE, object);
  }
  log.push({ name, isDelete, before });
  newest.set(name, { number, isThere: !isDelete });
}

async function write({ commits, perSecond, objects }: WriteInput): Promise<void> {
  const begin = performance.now();
  let name = 'config-0';
  for (let done = 0; done < commits; done++) {
    while (done > ((performance.now() - begin) / 1000) * perSecond)
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    // Some objects change several times in a row.
    if (Math.random() < 0.8) name = `config-${Math.floor(Math.random() * objects)}`;
    await commit(name, Math.random());
    // The store in its own process never waits: without this nobody else would have a turn.
    await new Promise((resolve) => void setImmediate(resolve));
  }
}

const commands = {
  settle,
  heap,
  links: () => agent.uplink.links.map(({ target, active, link }) => ({ target, active, stats: link.stats })),
  /** Returns at once; `written` tells how far it has come. */
  write: (input: WriteInput) => {
    isWriting = true;
    void write(input).finally(() => {
      isWriting = false;
    });
  },
  written: () => ({ commits: log.length, isWriting }),
  commits: () => log,
  /** What the API has. */
  objects: async (): Promise<readonly KubeObject[]> => {
    const { objects } = await configMaps.list(access, { selector: everything, at: { match: 'newest' } });
    return objects.map(({ json }) => JSON.parse(json.toString()) as KubeObject);
  },
  /** The API keeps no history from before this: whoever watches has to list anew. Returns how many commits there were. */
  compact: () => {
    if (configMaps.collection instanceof StoreCollection) configMaps.collection.cache.reset();
    return log.length;
  },
};

export type KubeAgentRole = typeof commands;

serveRole({}, commands);
