import { isDnsLabel } from '../base/index.ts';
import { KubeApi, type Api, type FoundResource, type Freshness, type MaxStale } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import { clientOption, withApi } from './client.ts';
import type { CommandInput, OptionSpec } from './command-line.ts';

/** Which API a command means, the same for all that handle resources. */
export const targetOptions: readonly OptionSpec[] = [
  clientOption,
  { flags: '-e, --edge EDGE', help: "the Kubernetes API of an edge (default: the fleet's own API)" },
];

/** Besides, for commands that only read. */
export const readOptions: readonly OptionSpec[] = [
  { flags: '--all-edges', help: 'the Kubernetes APIs of all edges as one, read only' },
  { flags: '--partial', help: 'with --all-edges: what there is, also when edges are missing' },
  { flags: '-n, --namespace NAMESPACE', help: 'the namespace', default: 'default' },
  { flags: '-A, --all-namespaces', help: 'all namespaces' },
  { flags: '-l, --selector SELECTOR', help: 'by labels: app=web,tier!=db' },
  { flags: '--field-selector SELECTOR', help: 'by fields: metadata.name=web' },
  { flags: '--max-stale TIME', help: 'from a cache, when what it has is no older: 500ms, 5s, 2m, any' },
];

export const namespaceOption: OptionSpec = {
  flags: '-n, --namespace NAMESPACE',
  help: 'the namespace, where the object does not say it (default: default)',
};

/** Opens the API that the options name, for one command. Throws `usage`. */
export function withKube<T>(input: CommandInput, use: (kube: KubeApi, api: Api) => Promise<T>): Promise<T> {
  const edge = input.text('edge');
  if (edge !== undefined && input.flag('allEdges'))
    throw cliError('usage', '--edge and --all-edges exclude each other');
  if (edge !== undefined && !isDnsLabel(edge)) throw cliError('usage', `${JSON.stringify(edge)} is no name of an edge`);
  const prefix = edge === undefined ? (input.flag('allEdges') ? '/fleet/kube' : '') : `/edges/${edge}/kube`;
  return withApi(input, (api) => use(new KubeApi(api, prefix), api));
}

/** The resource and the names of `pods web-0 web-1`, `pods/web-0 pods/web-1`. Throws `usage`. */
export function resourceAndNames(args: readonly string[]): {
  readonly resource: string;
  readonly names: readonly string[];
} {
  const [first = '', ...rest] = args;
  if (!first.includes('/')) return { resource: first, names: rest };
  const pairs = args.map((each) => each.split('/'));
  const resource = pairs[0]?.[0] ?? '';
  if (pairs.some((pair) => pair.length !== 2 || pair[0] !== resource || pair[1] === ''))
    throw cliError(
      'usage',
      `take RESOURCE NAME..., or RESOURCE/NAME... of one resource, not ${JSON.stringify(args.join(' '))}`,
    );
  return { resource, names: pairs.map(([, name = '']) => name) };
}

/** What the reading options say, as the SDK takes it; the namespace only where the resource belongs to one. */
export function selectionOf(input: CommandInput, { namespaced }: Pick<FoundResource, 'namespaced'>) {
  const maxStale = maxStaleOf(input);
  const labelSelector = input.text('selector');
  const fieldSelector = input.text('fieldSelector');
  return {
    ...(namespaced && !input.flag('allNamespaces') ? { namespace: input.text('namespace') ?? 'default' } : {}),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(maxStale === undefined ? {} : { maxStale }),
    ...(input.flag('partial') ? { allowPartial: true } : {}),
  };
}

/** Tells on stderr how far what was shown is the present; nothing when it is. */
export function tellFreshness({ fromCache, age, isStale, warnings, missingEdges }: Freshness): void {
  if (fromCache) process.stderr.write(`causeway: from the cache, ${isStale ? 'stale, ' : ''}${age} s old\n`);
  if (missingEdges.length > 0)
    process.stderr.write(`causeway: edges that are missing here: ${missingEdges.join(', ')}\n`);
  for (const warning of warnings) process.stderr.write(`causeway: ${warning}\n`);
}

/** How objects are named in what commands print: `pod/web-0`, `virtualmachine.kubevirt.io/vm-1`. */
export function shownName({ singular, group }: Pick<FoundResource, 'singular' | 'group'>, name: string): string {
  return `${singular}${group === '' ? '' : `.${group}`}/${name}`;
}

function maxStaleOf(input: CommandInput): MaxStale | undefined {
  const text = input.text('maxStale');
  if (text === undefined || text === 'any') return text;
  if (isDuration(text)) return text;
  throw cliError('usage', `--max-stale takes a time such as 5s, or any, not ${JSON.stringify(text)}`);
}

function isDuration(text: string): text is `${number}s` {
  return /^\d+(?:\.\d+)?(?:ms|s|m|h)$/u.test(text);
}
