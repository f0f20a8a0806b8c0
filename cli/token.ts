import { parseMadeToken, tokensPath } from '../api/index.ts';
import { isDnsLabel, validate, z } from '../base/index.ts';
import { CodedError, KubeApi, type Api } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import { clientConfig, clientOption, withApi } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { enrolLine } from './enrol-line.ts';
import { ago, outputOption, show, table } from './output.ts';
import { print } from './terminal.ts';

export const tokenCommand: CommandSpec = {
  name: 'token',
  summary: 'make, list and delete join tokens, which let edges enrol',
  commands: [
    {
      name: 'create',
      summary: 'make a join token, and the line that an edge is set up with',
      options: [
        { flags: '--edge EDGE', help: 'the one edge that it is for; it need not be known yet' },
        { flags: '-l, --label KEY=VALUE', help: 'in place of --edge: for new edges, which get this label', many: true },
        { flags: '--ttl TIME', help: 'how long it is good: 90s, 30m, 12h, 7d', default: '1h' },
        { flags: '--uses N', help: 'how many edges it is good for', default: '1' },
        {
          flags: '--gateway ADDRESS',
          help: 'HOST:PORT of the public listener, as the edge reaches it (default: as this client does)',
        },
        clientOption,
        { ...outputOption, choices: ['table', 'json', 'yaml', 'name'] },
      ],
      notes:
        'Who has the token may enrol: the edge is on the whitelist then. It is shown once and kept nowhere; the gateway keeps a hash of it.',
      examples: [
        'token create --edge shop-12',
        'token create --label region=north --ttl 8h --uses 20',
        'token create --edge shop-12 -o json',
      ],
      run: create,
    },
    {
      name: 'ls',
      summary: 'list the join tokens, without their secrets',
      options: [clientOption, outputOption],
      examples: ['token ls'],
      run: list,
    },
    {
      name: 'rm',
      summary: 'delete join tokens; edges that enrolled with them stay',
      arguments: ['[ID...]'],
      options: [{ flags: '--ended', help: 'those that are used up or have expired' }, clientOption],
      examples: ['token rm t-5f3a9c0d1e2b4a68', 'token rm --ended'],
      run: remove,
    },
  ],
};

const joinTokens = {
  group: 'causeway.io',
  version: 'v1',
  resource: 'jointokens',
  kind: 'JoinToken',
  namespaced: false,
} as const;

/** As far as it is shown. Lenient: a newer replica may say more. */
const shownToken = z.looseObject({
  metadata: z.looseObject({ name: z.string(), creationTimestamp: z.string().optional() }),
  spec: z.looseObject({
    edge: z.string().optional(),
    edgeLabels: z.record(z.string(), z.string()).optional(),
    uses: z.number().default(1),
    ttlSeconds: z.number().optional(),
    expiresAt: z.string().optional(),
  }),
  status: z.looseObject({ used: z.number().default(0), lastUsed: z.string().optional() }).prefault({}),
});

type ShownToken = z.output<typeof shownToken>;

async function create(input: CommandInput): Promise<void> {
  const edge = input.text('edge');
  const spec = specOf(input);
  const gateway = input.text('gateway');
  const config = await clientConfig(input);
  await withApi(input, async (api) => {
    const made = parseMadeToken(await api.json('POST', tokensPath, { spec }));
    const host = new URL(config.replicas[0]?.api ?? '').hostname;
    const reached = gateway ?? made.gateways[0] ?? `${host}:${made.publicPort}`;
    const line = enrolLine({ gateway: reached, token: made.token, root: made.root, edge });
    const value = {
      name: made.name,
      token: made.token,
      expiresAt: made.expiresAt,
      gateway: reached,
      root: made.root,
      line,
    };
    const uses = spec.uses === 1 ? 'once' : `${spec.uses} times`;
    const whom = edge ?? `new edges with ${labelText(spec.edgeLabels ?? {})}`;
    const text = (): string => `${made.token}

It lets ${whom} in, ${uses}, until ${made.expiresAt}. It is not shown again.
At the edge, as root${edge === undefined ? ', with its name in place of NAME' : ''}:

${line}
`;
    show(input, { value, names: [made.name], text });
  });
}

function list(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    const tokens = await listTokens(api);
    show(input, {
      value: { apiVersion: 'causeway.io/v1', kind: 'JoinTokenList', items: tokens },
      names: tokens.map(({ metadata }) => metadata.name),
      text: () =>
        tokens.length === 0
          ? 'No join tokens. `causeway token create --edge EDGE` makes one.\n'
          : table(['NAME', 'FOR', 'STATE', 'USED', 'EXPIRES', 'LAST USED', 'AGE'], tokens.map(row)),
    });
  });
}

async function remove(input: CommandInput): Promise<void> {
  const names = input.arguments.map((id) => (/^[0-9a-f]{16}$/u.test(id) ? `t-${id}` : id));
  if ((names.length === 0) !== input.flag('ended')) throw cliError('usage', 'give either ID... or --ended');
  await withApi(input, async (api) => {
    const { client } = new KubeApi(api, '');
    const ended = input.flag('ended') ? (await listTokens(api)).filter((token) => stateOf(token) !== 'ready') : [];
    for (const name of [...names, ...ended.map(({ metadata }) => metadata.name)]) {
      await client.delete(joinTokens, { name });
      print(`${name} deleted\n`);
    }
  });
}

/** What a JoinToken says, as far as this command makes it. */
interface TokenSpec {
  readonly edge?: string;
  readonly edgeLabels?: Readonly<Record<string, string>>;
  readonly ttlSeconds: number;
  readonly uses: number;
}

function specOf(input: CommandInput): TokenSpec {
  const edge = input.text('edge');
  const given = input.list('label');
  if ((edge === undefined) === (given.length === 0))
    throw cliError('usage', 'give either --edge EDGE or --label KEY=VALUE');
  if (edge !== undefined && !isDnsLabel(edge))
    throw cliError('usage', `${JSON.stringify(edge)} is no name: 1 to 63 of a-z 0-9 -, no dash at either end`);
  const uses = input.integer('uses', 1, 10_000) ?? 1;
  if (edge !== undefined && uses > 1)
    throw cliError('usage', '--uses is for tokens with --label: one edge enrols once');
  const ttlSeconds = secondsOf(input.text('ttl') ?? '1h');
  return { ...(edge === undefined ? { edgeLabels: labelsOf(given) } : { edge }), ttlSeconds, uses };
}

function labelsOf(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((text) => {
      const [, key, value = ''] = /^([^=]+)=(.*)$/u.exec(text) ?? [];
      if (key === undefined) throw cliError('usage', `--label takes KEY=VALUE, not ${JSON.stringify(text)}`);
      return [key, value];
    }),
  );
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const MIN_TTL_SECONDS = 60;
const MAX_TTL_SECONDS = 30 * 86_400;

function secondsOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,7})([smhd])$/u.exec(text) ?? [];
  const seconds = Number(count) * (unitSeconds[unit] ?? 0);
  if (count !== '' && seconds >= MIN_TTL_SECONDS && seconds <= MAX_TTL_SECONDS) return seconds;
  throw cliError('usage', `--ttl takes 60s to 30d, such as 90s, 30m, 12h or 7d, not ${JSON.stringify(text)}`);
}

async function listTokens(api: Api): Promise<readonly ShownToken[]> {
  const { value } = await new KubeApi(api, '').client.list(joinTokens);
  const result = validate(z.looseObject({ items: z.array(shownToken) }), value);
  if ('value' in result) return result.value.items;
  const [problem] = result.problems;
  throw new CodedError('answer-malformed', `the replica's answer cannot be read: ${problem?.path.join('.')}`, {
    fix: 'upgrade the older side: this command, or the replica',
  });
}

function row(token: ShownToken): string[] {
  const { metadata, spec, status } = token;
  return [
    metadata.name,
    spec.edge ?? labelText(spec.edgeLabels ?? {}),
    stateOf(token),
    `${status.used}/${spec.uses}`,
    expiryOf(token),
    status.lastUsed === undefined ? '-' : `${ago(status.lastUsed)} ago`,
    ago(metadata.creationTimestamp),
  ];
}

function stateOf(token: ShownToken): 'ready' | 'used' | 'expired' {
  if (token.status.used >= token.spec.uses) return 'used';
  return Date.parse(expiryOf(token)) > Date.now() ? 'ready' : 'expired';
}

/** As the replica counts it: an hour, where nothing is said. */
function expiryOf({ metadata, spec }: ShownToken): string {
  if (spec.expiresAt !== undefined) return spec.expiresAt;
  const born = Date.parse(metadata.creationTimestamp ?? '');
  return Number.isNaN(born)
    ? '-'
    : new Date(born + (spec.ttlSeconds ?? 3600) * 1000).toISOString().replace(/\.\d+Z$/u, 'Z');
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
