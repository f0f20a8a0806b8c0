import { formatYaml } from '../base/index.ts';
import type { FoundResource, Freshness, KubeApi, KubeObject } from '../sdk/index.ts';
import { freshnessOf, cacheControlOf } from '../sdk/index.ts';
import type { CommandInput, CommandSpec, OptionSpec } from './command-line.ts';
import {
  readOptions,
  resourceAndNames,
  selectionOf,
  shownName,
  targetOptions,
  tellFreshness,
  withKube,
} from './kube-target.ts';
import { ago, table } from './output.ts';
import { headOf, readServerTable, rowsOf } from './server-table.ts';
import { print } from './terminal.ts';

/** `--output` of commands whose tables the server makes. */
export const resourceOutputOption: OptionSpec = {
  flags: '-o, --output FORMAT',
  help: 'how to show it',
  choices: ['table', 'wide', 'json', 'yaml', 'name'],
  default: 'table',
};

export const getCommand: CommandSpec = {
  name: 'get',
  summary: 'show resources: of the fleet, of an edge, or of all edges',
  arguments: ['<RESOURCE>', '[NAME...]'],
  options: [...targetOptions, ...readOptions, resourceOutputOption],
  notes:
    'RESOURCE is any name of a resource: pods, po, virtualmachines.kubevirt.io; or RESOURCE/NAME. How old an answer from a cache is stands on stderr.',
  examples: [
    'get edgenodes',
    'get pods --edge edge-1 -n kube-system -o wide',
    'get pods --all-edges -A --max-stale 5s',
    'get vm/web --edge edge-1 -o yaml',
  ],
  run: get,
};

async function get(input: CommandInput): Promise<void> {
  const { resource: wanted, names } = resourceAndNames(input.arguments);
  await withKube(input, async (kube) => {
    const resource = await kube.discovery.find(wanted);
    const format = input.text('output');
    if (format === 'table' || format === 'wide') await showTable(input, kube, resource, names);
    else await showObjects(input, kube, resource, names);
  });
}

async function showTable(
  input: CommandInput,
  kube: KubeApi,
  resource: FoundResource,
  names: readonly string[],
): Promise<void> {
  const { maxStale, allowPartial, ...selection } = selectionOf(input, resource);
  const options = { ...selection, headers: cacheControlOf(maxStale), query: { allowPartial } };
  const shape = {
    wide: input.text('output') === 'wide',
    withNamespace: resource.namespaced && input.flag('allNamespaces'),
  };
  let head: string[] | undefined;
  const rows: string[][] = [];
  const told: Freshness[] = [];
  for (const name of names.length === 0 ? [''] : names) {
    const place = { namespace: selection.namespace ?? (name === '' ? '' : namespaceFor(resource)), name };
    const { value, headers } = await kube.client.table(resource, place, options);
    told.push(freshnessOf(headers));
    const served = readServerTable(value);
    head ??= served === undefined ? ['NAME', 'AGE'] : headOf(served, shape);
    rows.push(...(served === undefined ? plainRows(value) : rowsOf(served, served.columnDefinitions, shape)));
  }
  if (rows.length === 0)
    process.stderr.write(
      `No ${resource.resource} found${selection.namespace === undefined ? '' : ` in ${selection.namespace}`}.\n`,
    );
  else print(table(head ?? [], rows));
  tellOnce(told);
}

async function showObjects(
  input: CommandInput,
  kube: KubeApi,
  resource: FoundResource,
  names: readonly string[],
): Promise<void> {
  const format = input.text('output');
  const selection = selectionOf(input, resource);
  const resources = kube.resources(input.argument(0).split('/')[0] ?? '');
  const told: Freshness[] = [];
  let value: unknown;
  let items: readonly KubeObject[];
  if (names.length === 0) {
    const list = await resources.list(selection);
    told.push(list.freshness);
    items = list.items;
    value = {
      apiVersion: 'v1',
      kind: 'List',
      metadata: list.metadata,
      items: items.map((item) => withKind(item, resource)),
    };
  } else {
    const { namespace, maxStale } = selection;
    const found: KubeObject[] = [];
    for (const name of names) {
      const object = await resources.get(name, {
        ...(namespace === undefined ? {} : { namespace }),
        ...(maxStale === undefined ? {} : { maxStale }),
      });
      told.push(object.freshness);
      found.push(object);
    }
    items = found;
    value = found.length === 1 ? found[0] : { apiVersion: 'v1', kind: 'List', metadata: {}, items: found };
  }
  if (format === 'json') print(`${JSON.stringify(value, undefined, 2)}\n`);
  else if (format === 'yaml') print(formatYaml(value));
  else print(items.map(({ metadata }) => `${shownName(resource, metadata.name ?? '')}\n`).join(''));
  tellOnce(told);
}

/** Items of lists leave out what they are. */
export function withKind(item: KubeObject, { group, version, kind }: FoundResource): KubeObject {
  const {
    apiVersion = group === '' ? version : `${group}/${version}`,
    kind: own = kind,
    ...rest
  } = item as Partial<KubeObject>;
  return { apiVersion, kind: own, ...rest } as KubeObject;
}

/** Of several answers the one that is furthest from the present. */
function tellOnce(told: readonly Freshness[]): void {
  const worst = told.toSorted((a, b) => Number(b.isStale) - Number(a.isStale) || b.age - a.age)[0];
  if (worst !== undefined) tellFreshness(worst);
}

/** For a server that makes no tables. */
function plainRows(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  const items: unknown[] = 'items' in value && Array.isArray(value.items) ? value.items : [value];
  return items.flatMap((item) => {
    const metadata =
      typeof item === 'object' && item !== null && 'metadata' in item
        ? (item.metadata as KubeObject['metadata'])
        : undefined;
    return metadata?.name === undefined ? [] : [[metadata.name, ago(metadata.creationTimestamp)]];
  });
}

function namespaceFor({ namespaced }: FoundResource): string {
  return namespaced ? 'default' : '';
}
