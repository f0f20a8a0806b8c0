import { dirname, resolve } from 'node:path';
import { parseYaml, validate, z } from '../../base/index.ts';

/** How to reach a Kubernetes API, and as whom, as a kubeconfig says it. Files are named by their paths, texts are PEM. */
export interface KubeconfigEntry {
  readonly server: string;
  readonly servername?: string;
  readonly ca?: Source;
  readonly cert?: Source;
  readonly key?: Source;
  readonly token?: Source;
}

/** A text, or the file that holds it. */
export type Source = { readonly text: string } | { readonly file: string };

const named = z.looseObject({ name: z.string() });
const kubeconfigSchema = z.looseObject({
  'current-context': z.string().optional(),
  'contexts': z.array(named.extend({ context: z.looseObject({ cluster: z.string(), user: z.string() }) })),
  'clusters': z.array(
    named.extend({
      cluster: z.looseObject({
        'server': z.string(),
        'certificate-authority': z.string().optional(),
        'certificate-authority-data': z.string().optional(),
        'insecure-skip-tls-verify': z.boolean().optional(),
        'tls-server-name': z.string().optional(),
        'proxy-url': z.string().optional(),
      }),
    }),
  ),
  'users': z.array(
    named.extend({
      user: z.looseObject({
        'token': z.string().optional(),
        'tokenFile': z.string().optional(),
        'client-certificate': z.string().optional(),
        'client-certificate-data': z.string().optional(),
        'client-key': z.string().optional(),
        'client-key-data': z.string().optional(),
      }),
    }),
  ),
});

/** What would be left out in silence if it were not refused: programs to run, proxies, other users, no verification. */
const refusedOfUser = ['exec', 'auth-provider', 'username', 'password', 'as', 'as-uid', 'as-groups', 'as-user-extra'];
const refusedOfCluster = ['proxy-url'];

/** Reads the current context of a kubeconfig. Throws an Error that says what is wrong with it. */
export function parseKubeconfig(text: string, file: string): KubeconfigEntry {
  const yaml = parseYaml(text);
  if ('problems' in yaml) throw new Error(`line ${yaml.problems[0]?.line}: ${yaml.problems[0]?.message}`);
  const result = validate(kubeconfigSchema, yaml.value);
  if ('problems' in result) {
    const [problem] = result.problems;
    throw new Error(`${problem?.path.join('.')}: ${problem?.message}`);
  }
  const { contexts, clusters, users, 'current-context': current } = result.value;
  if (current === undefined) throw new Error('it has no current-context');
  const context = find(contexts, 'context', current).context;
  const { cluster } = find(clusters, 'cluster', context.cluster);
  const { user } = find(users, 'user', context.user);
  if (cluster['insecure-skip-tls-verify'] === true)
    throw new Error('insecure-skip-tls-verify: the server is always verified');
  refuse(cluster, refusedOfCluster);
  refuse(user, refusedOfUser);

  const folder = dirname(file);
  const from = (data: string | undefined, path: string | undefined): Source | undefined => {
    if (data !== undefined) return { text: Buffer.from(data, 'base64').toString('utf8') };
    return path === undefined ? undefined : { file: resolve(folder, path) };
  };
  const ca = from(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = from(user['client-certificate-data'], user['client-certificate']);
  const key = from(user['client-key-data'], user['client-key']);
  const token = user.token === undefined ? from(undefined, user.tokenFile) : { text: user.token };
  const servername = cluster['tls-server-name'];
  return {
    server: cluster.server,
    ...(servername === undefined ? {} : { servername }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(token === undefined ? {} : { token }),
  };
}

function find<T extends { readonly name: string }>(list: readonly T[], what: string, name: string): T {
  const found = list.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`it has no ${what} ${JSON.stringify(name)}`);
  return found;
}

function refuse(entry: Readonly<Record<string, unknown>>, members: readonly string[]): void {
  const used = members.find((member) => entry[member] !== undefined);
  if (used !== undefined)
    throw new Error(`${used} is not supported: use a token, a token file or a client certificate`);
}
