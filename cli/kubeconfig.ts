import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatYaml } from '../base/index.ts';

export interface KubeconfigOptions {
  /** `https://host:port` of a replica's API. */
  readonly server: string;
  /** The operator's key store. */
  readonly keys: string;
  readonly edges: readonly string[];
}

/** A kubeconfig with the contexts `fleet`, `all`, and one an edge; the operator's key stands in it, so write it for the owner only. */
export async function kubeconfig({ server, keys, edges }: KubeconfigOptions): Promise<string> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map(async (name) => (await readFile(join(keys, name))).toString('base64')),
  );
  const places: readonly (readonly [name: string, path: string])[] = [
    ['fleet', ''],
    ['all', '/fleet/kube'],
    ...edges.map((edge) => [edge, `/edges/${edge}/kube`] as const),
  ];
  return formatYaml({
    'apiVersion': 'v1',
    'kind': 'Config',
    'current-context': 'fleet',
    'clusters': places.map(([name, path]) => ({
      name,
      cluster: { 'server': `${server}${path}`, 'certificate-authority-data': ca },
    })),
    'users': [{ name: 'operator', user: { 'client-certificate-data': cert, 'client-key-data': key } }],
    'contexts': places.map(([name]) => ({ name, context: { cluster: name, user: 'operator' } })),
  });
}
