import { join, resolve } from 'node:path';
import { isDnsLabel, isDnsName } from '../base/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import {
  authorityFiles,
  createAuthorityFiles,
  createKeyFiles,
  DAY_MS,
  exists,
  localHosts,
  writeAuthority,
  writeNew,
  yamlFile,
} from './fleet-files.ts';
import { print } from './terminal.ts';

export const initCommand: CommandSpec = {
  name: 'init',
  summary: 'make a new fleet: authorities, keys and configuration files',
  arguments: ['<DIR>'],
  options: [
    { flags: '--edge NAME', help: 'an edge to make keys for (default: edge-1)', many: true },
    {
      flags: '--host HOST',
      help: 'a name or address that the replica is dialed by (default: those of this machine)',
      many: true,
    },
    { flags: '--trust-domain NAME', help: 'the name of the fleet, in every certificate', default: 'causeway.local' },
    { flags: '--site NAME', help: "the replica's site", default: 'site-a' },
    { flags: '--replica NAME', help: "the replica's name", default: 'r0' },
    { flags: '--operator NAME', help: "the operator's name", default: 'admin' },
    {
      flags: '--port PORT',
      help: 'the API; links are on the port above, the public listener on the next',
      default: '8440',
    },
    { flags: '--days N', help: 'how long the certificates are valid', default: '365' },
  ],
  notes: 'What is there is never overwritten. Keep DIR/ca offline where you can: who has it can name anyone.',
  examples: ['init fleet', 'init fleet --host gw1.example.com --edge shop-12 --edge shop-13'],
  run: init,
};

async function init(input: CommandInput): Promise<void> {
  const folder = resolve(input.argument(0));
  const edges = input.list('edge').length === 0 ? ['edge-1'] : [...new Set(input.list('edge'))];
  const hosts = input.list('host').length === 0 ? localHosts() : input.list('host');
  const [site = '', replica = '', operator = ''] = ['site', 'replica', 'operator'].map((name) => input.text(name));
  const port = input.integer('port', 1, 65_533) ?? 8440;
  const validMs = (input.integer('days', 1, 1825) ?? 365) * DAY_MS;
  const trustDomain = input.text('trustDomain') ?? '';
  const wrong = [...edges, site, replica, operator].find((name) => !isDnsLabel(name));
  if (wrong !== undefined)
    throw cliError('usage', `${JSON.stringify(wrong)} is no name: 1 to 63 of a-z 0-9 -, no dash at either end`);
  if (!isDnsName(trustDomain)) throw cliError('usage', `${JSON.stringify(trustDomain)} is no trust domain`);
  const [host = ''] = hosts.filter((name) => name !== 'localhost' && name !== '127.0.0.1').concat(hosts);

  // Everything is looked at before anything is written.
  const files = {
    ca: join(folder, 'ca'),
    replica: join(folder, 'replica'),
    issuer: join(folder, 'issuer'),
    gateway: join(folder, 'gateway.yaml'),
    operator: join(folder, 'operator'),
    client: join(folder, 'client.yaml'),
    edges: join(folder, 'edges'),
  };
  for (const file of Object.values(files)) if (await exists(file)) throw cliError('file-exists', file);

  const authority = await createAuthorityFiles(files.ca, trustDomain);
  // A copy of the one authority that a replica needs: the folder of all can go where nobody reaches it.
  await writeAuthority(files.issuer, 'edge', authority.issuers.edge);
  await createKeyFiles(authority, { folder: files.replica, name: `replica/${site}/${replica}`, hosts, validMs });
  await createKeyFiles(authority, { folder: files.operator, name: `operator/${operator}`, validMs });
  await writeNew(
    files.gateway,
    yamlFile(
      [
        'A replica of the gateway: causeway gateway run --config gateway.yaml',
        'Relative paths are taken from where this file is.',
      ],
      {
        site,
        name: replica,
        keys: 'replica',
        api: { host: '0.0.0.0', port },
        link: { host: '0.0.0.0', port: port + 1 },
        public: { host: '0.0.0.0', port: port + 2 },
        advertise: [address(host, port + 1)],
        advertisePublic: [address(host, port + 2)],
        store: { path: 'store.db' },
        issuer: authorityFiles('issuer', 'edge'),
        admins: [`operator/${operator}`],
        cache: { snapshots: 'cache' },
      },
    ),
  );
  await writeNew(
    files.client,
    yamlFile(['What the command and the SDK read: export CAUSEWAY_CONFIG=client.yaml'], {
      replicas: [{ api: `https://${address(host, port)}`, link: address(host, port + 1) }],
      keys: 'operator',
    }),
  );
  for (const edge of edges) {
    await createKeyFiles(authority, { folder: join(files.edges, edge, 'keys'), name: `edge/${edge}`, validMs });
    await writeNew(
      join(files.edges, edge, 'agent.yaml'),
      yamlFile(
        [
          `The agent of ${edge}: causeway agent run --config agent.yaml`,
          'Relative paths are taken from where this file is.',
          'Only the services and addresses that stand here can be reached.',
        ],
        {
          gateways: [address(host, port + 1)],
          public: [address(host, port + 2)],
          keys: 'keys',
          data: 'data',
          services: [
            { name: 'kube', kind: 'embedded' },
            { name: 'web', kind: 'http', url: 'http://127.0.0.1:8080' },
            { name: 'ssh', kind: 'tcp', address: '127.0.0.1:22' },
          ],
          addresses: [],
        },
      ),
    );
  }
  const [edge = ''] = edges;
  print(`A fleet is in ${folder}. What to do next:

  causeway gateway run --config ${files.gateway}
  export CAUSEWAY_CONFIG=${files.client}
  causeway node allow ${edges.join(' ')}
  # at the edge, with the folder ${join(files.edges, edge)} copied there:
  causeway agent run --config agent.yaml
  # or, without copying keys: the line that this prints, at the edge
  causeway token create --edge EDGE
  causeway node ls
`);
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
