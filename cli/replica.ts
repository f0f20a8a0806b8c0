import { CodedError, validate, z } from '../base/index.ts';
import { KubeApi, type Api } from '../sdk/index.ts';
import { clientOption, withApi } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { ago, outputOption, show, table } from './output.ts';

export const replicaCommand: CommandSpec = {
  name: 'replica',
  summary: 'list the replicas',
  commands: [
    {
      name: 'ls',
      summary: 'list the replicas that the store knows, of all sites',
      options: [clientOption, outputOption],
      notes:
        'One that was killed is listed until its lease ends, 10 s. `causeway status` asks the replicas of client.yaml themselves.',
      examples: ['replica ls', 'replica ls --output json'],
      run: list,
    },
  ],
};

/** A `Replica` as far as it is shown. Lenient: a newer replica may say more, an older one less. */
const shownReplica = z.looseObject({
  metadata: z.looseObject({ name: z.string(), creationTimestamp: z.string().optional() }),
  spec: z.looseObject({ site: z.string().default('-'), name: z.string().default('-') }).prefault({}),
  status: z
    .looseObject({ version: z.string().default('-'), links: z.number().default(0), edges: z.number().default(0) })
    .prefault({}),
});

type ShownReplica = z.output<typeof shownReplica>;

const replicas = {
  group: 'causeway.io',
  version: 'v1',
  resource: 'replicas',
  kind: 'Replica',
  namespaced: false,
} as const;

function list(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    const items = await listReplicas(api);
    const rows = items.map(({ metadata, spec, status }) => [
      `${spec.site}/${spec.name}`,
      spec.site,
      status.version,
      String(status.edges),
      String(status.links),
      ago(metadata.creationTimestamp),
    ]);
    show(input, {
      value: { apiVersion: 'causeway.io/v1', kind: 'ReplicaList', items },
      names: items.map(({ metadata }) => metadata.name),
      text: () => table(['NAME', 'SITE', 'VERSION', 'EDGES', 'LINKS', 'AGE'], rows),
    });
  });
}

async function listReplicas(api: Api): Promise<readonly ShownReplica[]> {
  const { value } = await new KubeApi(api, '').client.list(replicas);
  const read = validate<{ items: ShownReplica[] }>(z.looseObject({ items: z.array(shownReplica) }), value);
  if ('value' in read) return read.value.items.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  throw new CodedError('object-invalid', 'the replica answered with something that is no list of replicas');
}
