import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { codeOf, formatYaml, parseYaml, validate, z } from '../base/index.ts';
import { cliError } from './cli-error.ts';
import { clientConfig, clientOption, withApi } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { listNodes } from './edge-nodes.ts';
import { writeReplacing } from './fleet-files.ts';
import { print } from './terminal.ts';

export const kubeconfigCommand: CommandSpec = {
  name: 'kubeconfig',
  summary: 'write a kubeconfig: the fleet, all edges as one, and one context an edge',
  options: [
    clientOption,
    { flags: '--out FILE', help: 'write it to a file, for its owner only (default: print it)' },
    { flags: '--merge', help: 'into the file that is there: --out, $KUBECONFIG or ~/.kube/config' },
    { flags: '--prefix PREFIX', help: 'stands before every name of a context' },
  ],
  notes:
    "The operator's key stands in it. With --merge, contexts of other clusters stay as they are, and none of them is replaced; run it again when there are new edges.",
  examples: ['kubeconfig --out fleet.kubeconfig', 'kubeconfig --merge --prefix causeway-'],
  run: writeKubeconfig,
};

export interface KubeconfigOptions {
  /** `https://host:port` of a replica's API. */
  readonly server: string;
  /** The operator's key store. */
  readonly keys: string;
  readonly edges: readonly string[];
  /** Stands before every name. Default none. */
  readonly prefix?: string;
}

const named = z.looseObject({ name: z.string() });
const entries = z
  .array(named)
  .nullish()
  .transform((list) => list ?? []);
/** A kubeconfig as far as it is merged; the rest stays as it is. */
const schema = z.looseObject({
  'current-context': z.string().nullish(),
  'clusters': z
    .array(z.looseObject({ name: z.string(), cluster: z.looseObject({ server: z.string().default('') }).prefault({}) }))
    .nullish()
    .transform((list) => list ?? []),
  'users': entries,
  'contexts': z
    .array(
      z.looseObject({
        name: z.string(),
        context: z.looseObject({ cluster: z.string().default(''), user: z.string().default('') }).prefault({}),
      }),
    )
    .nullish()
    .transform((list) => list ?? []),
});

type Kubeconfig = z.output<typeof schema>;

/**
 * A kubeconfig with the contexts `fleet`, `all`, and one an edge; the operator's key stands in it, so write it for the
 * owner only.
 */
export async function kubeconfig(options: KubeconfigOptions): Promise<string> {
  return formatYaml(await makeKubeconfig(options));
}

async function makeKubeconfig({ server, keys, edges, prefix = '' }: KubeconfigOptions): Promise<Kubeconfig> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map(async (name) => (await readFile(join(keys, name))).toString('base64')),
  );
  const places: readonly (readonly [name: string, path: string])[] = [
    ['fleet', ''],
    ['all', '/fleet/kube'],
    ...edges.map((edge) => [edge, `/edges/${edge}/kube`] as const),
  ].map(([name = '', path = '']) => [`${prefix}${name}`, path] as const);
  const user = `${prefix}operator`;
  return {
    'apiVersion': 'v1',
    'kind': 'Config',
    'current-context': `${prefix}fleet`,
    'clusters': places.map(([name, path]) => ({
      name,
      cluster: { 'server': `${server}${path}`, 'certificate-authority-data': ca },
    })),
    'users': [{ name: user, user: { 'client-certificate-data': cert, 'client-key-data': key } }],
    'contexts': places.map(([name]) => ({ name, context: { cluster: name, user } })),
  };
}

/**
 * Puts entries of ours into a kubeconfig that is there: beside what is others', in place of what is ours already (by
 * the `servers` of their clusters). Its current context stays. Throws `name-taken`, `file-failed`.
 */
export function mergeKubeconfig(existing: string, made: string, servers: readonly string[]): string {
  const ours = parsed(made, 'what was made');
  const theirs = parsed(existing, 'the kubeconfig');
  const isOurs = ({ cluster: { server } }: Kubeconfig['clusters'][number]): boolean =>
    servers.some((each) => server === each || server.startsWith(`${each}/`));
  const ourClusters = new Set(theirs.clusters.filter(isOurs).map(({ name }) => name));
  const foreign = theirs.contexts.filter(({ context }) => !ourClusters.has(context.cluster));
  const taken = [
    ...theirs.clusters.filter((each) => !isOurs(each)).map(({ name }) => ['cluster', name] as const),
    ...foreign.map(({ name }) => ['context', name] as const),
    ...foreign.map(({ context }) => ['user', context.user] as const),
  ].find(([kind, name]) => ours[`${kind}s`].some((each: { readonly name: string }) => each.name === name));
  if (taken !== undefined) throw cliError('name-taken', `${taken[0]} ${taken[1]}`);
  const merged = <T extends { readonly name: string }>(before: readonly T[], now: readonly T[]): T[] => {
    const names = new Set(now.map(({ name }) => name));
    return [...before.filter(({ name }) => !names.has(name)), ...now];
  };
  return formatYaml({
    ...ours,
    ...theirs,
    'clusters': merged(theirs.clusters, ours.clusters),
    'users': merged(theirs.users, ours.users),
    'contexts': merged(theirs.contexts, ours.contexts),
    'current-context': theirs['current-context'] || ours['current-context'],
  });
}

async function writeKubeconfig(input: CommandInput): Promise<void> {
  const config = await clientConfig(input);
  const servers = config.replicas.map(({ api }) => api.replace(/\/+$/u, ''));
  const edges = await withApi(input, async (api) => (await listNodes(api)).map(({ metadata }) => metadata.name));
  const prefix = input.text('prefix') ?? '';
  const made = await kubeconfig({ server: servers[0] ?? '', keys: config.keys, edges, prefix });
  if (!input.flag('merge')) {
    const out = input.text('out');
    if (out === undefined) print(made);
    else await write(out, made, edges.length);
    return;
  }
  const file = input.text('out') ?? (process.env['KUBECONFIG']?.split(':')[0] || join(homedir(), '.kube', 'config'));
  const existing = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw cliError('file-failed', file, error);
  });
  await write(
    file,
    existing === undefined || existing.trim() === '' ? made : mergeKubeconfig(existing, made, servers),
    edges.length,
  );
}

async function write(file: string, content: string, edges: number): Promise<void> {
  try {
    await writeReplacing(file, content, 0o600);
  } catch (error) {
    throw cliError('file-failed', file, error);
  }
  print(`${file}: contexts of the fleet, of all edges, and of ${edges} ${edges === 1 ? 'edge' : 'edges'}\n`);
}

function parsed(text: string, what: string): Kubeconfig {
  const yaml = parseYaml(text);
  const result = 'problems' in yaml ? yaml : validate(schema, yaml.value ?? {});
  if ('value' in result) return result.value;
  throw cliError('file-failed', `${what} cannot be read: ${result.problems[0]?.message ?? ''}`);
}
