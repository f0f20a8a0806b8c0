import { Backoff, CodedError, systemClock } from '../base/index.ts';
import { cacheControlOf, freshnessOf, type FoundResource, type KubeApi, type ResourceEvent } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { resourceOutputOption, withKind } from './get.ts';
import {
  readOptions,
  resourceAndNames,
  selectionOf,
  shownName,
  targetOptions,
  tellFreshness,
  withKube,
} from './kube-target.ts';
import { headOf, readServerTable, rowsOf, type ServerTable } from './server-table.ts';
import { print } from './terminal.ts';

export const watchCommand: CommandSpec = {
  name: 'watch',
  summary: 'show resources, then what changes, until it is ended',
  arguments: ['<RESOURCE>', '[NAME]'],
  options: [...targetOptions, ...readOptions, resourceOutputOption],
  notes:
    'It goes on by itself over connections and replicas that are lost. When changes were missed meanwhile, everything is shown again. With json, an event a line.',
  examples: ['watch edgenodes', 'watch pods --all-edges -A', 'watch vm web --edge edge-1 -o json'],
  run: watch,
};

/** What no repetition helps against. */
const FINAL = new Set([400, 401, 403, 404, 405, 406, 422]);

async function watch(input: CommandInput): Promise<void> {
  const { resource: wanted, names } = resourceAndNames(input.arguments);
  if (names.length > 1) throw cliError('usage', 'watch takes one name, or none');
  await withKube(input, async (kube) => {
    const resource = await kube.discovery.find(wanted);
    const selection = { ...selectionOf(input, resource), ...fieldOf(input, names[0]) };
    const format = input.text('output');
    if (format === 'table' || format === 'wide') {
      await watchTable(kube, resource, selection, {
        wide: format === 'wide',
        withNamespace: selection.namespace === undefined && resource.namespaced,
      });
      return;
    }
    for await (const event of kube.resources(wanted).watch(selection))
      print(eventText(event, resource, format ?? 'json'));
  });
}

function fieldOf(input: CommandInput, name: string | undefined): { readonly fieldSelector?: string } {
  const given = input.text('fieldSelector');
  if (name === undefined) return {};
  return { fieldSelector: [`metadata.name=${name}`, ...(given === undefined ? [] : [given])].join(',') };
}

function eventText(event: ResourceEvent, resource: FoundResource, format: string): string {
  const events =
    event.type === 'relisted'
      ? event.items.map((object) => ({ type: 'listed', object }))
      : [{ type: event.type, object: event.object }];
  return events
    .map(({ type, object }) => {
      const full = withKind(object, resource);
      if (format === 'name') return `${shownName(resource, full.metadata.name ?? '')}\n`;
      // YAML documents are JSON documents too, and one a line can be told apart while they come.
      return format === 'yaml'
        ? `---\n${JSON.stringify({ type, object: full })}\n`
        : `${JSON.stringify({ type, object: full })}\n`;
    })
    .join('');
}

/** Tables come from the server, so that the rows of a watch look like those of `get`. */
async function watchTable(
  kube: KubeApi,
  resource: FoundResource,
  { maxStale, allowPartial, ...selection }: ReturnType<typeof selectionOf>,
  shape: { readonly wide: boolean; readonly withNamespace: boolean },
): Promise<void> {
  const options = { ...selection, headers: cacheControlOf(maxStale), query: { allowPartial } };
  const backoff = new Backoff({ maxMs: 15_000 });
  const rows = new RowPrinter(shape);
  let version: string | undefined;
  for (;;) {
    const began = systemClock.now();
    try {
      if (version === undefined) {
        const { value, headers } = await kube.client.table(resource, {}, options);
        const served = readServerTable(value);
        if (served === undefined)
          throw new CodedError('answer-malformed', 'the API makes no tables: use -o json', { status: 406 });
        tellFreshness(freshnessOf(headers));
        rows.print('', served);
        version = served.metadata.resourceVersion;
      }
      for await (const { type, object } of kube.client.watch(resource, {
        ...options,
        resourceVersion: version,
        table: true,
      })) {
        const served = readServerTable(object);
        version = versionOf(object, served) ?? version;
        if (type !== 'BOOKMARK' && served !== undefined) rows.print(type, served);
      }
    } catch (error) {
      const status = error instanceof CodedError ? error.status : 500;
      // What there is was never shown: then there is nothing to go on with.
      if (FINAL.has(status) || version === undefined) throw error;
      if (status === 410) version = undefined;
      else process.stderr.write(`causeway: ${error instanceof Error ? error.message : String(error)}; trying again\n`);
    }
    backoff.lasted(systemClock.now() - began);
    await new Promise((resolve) => setTimeout(resolve, backoff.next()));
  }
}

class RowPrinter {
  readonly #shape: { readonly wide: boolean; readonly withNamespace: boolean };
  #columns: ServerTable['columnDefinitions'] = [];
  #widths: number[] = [];

  constructor(shape: { readonly wide: boolean; readonly withNamespace: boolean }) {
    this.#shape = shape;
  }

  /** Columns are as wide as what was shown first; later rows do not wait for each other. */
  print(type: string, served: ServerTable): void {
    const isFirst = this.#columns.length === 0;
    if (served.columnDefinitions.length > 0) this.#columns = served.columnDefinitions;
    const rows = rowsOf(served, this.#columns, this.#shape).map((row) => [type, ...row]);
    const lines = isFirst ? [['EVENT', ...headOf({ columnDefinitions: this.#columns }, this.#shape)], ...rows] : rows;
    for (const line of isFirst ? lines : [])
      line.forEach((cell, column) => (this.#widths[column] = Math.max(this.#widths[column] ?? 8, cell.length)));
    print(
      lines
        .map(
          (line) =>
            `${line
              .map((cell, column) => cell.padEnd(this.#widths[column] ?? 0))
              .join('  ')
              .trimEnd()}\n`,
        )
        .join(''),
    );
  }
}

/** An event's own version: of the table, or of the object in its row. */
function versionOf(object: Readonly<Record<string, unknown>>, served: ServerTable | undefined): string | undefined {
  const metadata = object['metadata'];
  const own =
    typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata
      ? metadata.resourceVersion
      : undefined;
  const row = served?.rows.at(-1)?.object?.metadata.resourceVersion;
  return [own, row].filter((each) => typeof each === 'string').find((each) => each !== '');
}
