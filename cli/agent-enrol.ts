import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { isDnsLabel, messageOf } from '../base/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { exists, writeNew, yamlFile } from './fleet-files.ts';
import { print } from './terminal.ts';

const PUBLIC_PORT = 8442;

export const agentEnrolCommand: CommandSpec = {
  name: 'enrol',
  summary: 'make this machine an edge of a fleet, with a join token',
  options: [
    {
      flags: '-g, --gateway ADDRESS',
      help: `the public listener of a replica, HOST:PORT (default port: ${PUBLIC_PORT})`,
    },
    { flags: '-t, --token TOKEN', help: 'the join token (default: $CAUSEWAY_TOKEN, which other users cannot see)' },
    { flags: '--token-file FILE', help: 'read the token from there; - is the standard input' },
    { flags: '--edge NAME', help: "the edge's name, where the token is not for one edge" },
    { flags: '-k, --keys DIR', help: 'where the key and the certificates are kept', default: 'keys' },
    { flags: '-c, --config FILE', help: 'write a first agent.yaml there, if there is none' },
    { flags: '--ca FILE', help: 'the root of the fleet, where the gateway does not show it' },
  ],
  notes:
    'The key is made here and stays here. Nothing is sent before the gateway has shown that it is the one that the token is from: the token names the root by its public key. Run again, it keeps what is there.',
  examples: [
    'agent enrol --gateway gw1.example.com:8442 --token cwt1.… --keys keys --config agent.yaml',
    'agent enrol --gateway gw1.example.com:8442 --token-file - --edge shop-7 <token',
  ],
  run: enrolAgent,
};

async function enrolAgent(input: CommandInput): Promise<void> {
  const { enrol } = await import('../edge-agent/index.ts');
  const gateway = gatewayOf(input);
  const token = await tokenOf(input);
  const edge = input.text('edge');
  if (edge !== undefined && !isDnsLabel(edge))
    throw cliError('usage', `${JSON.stringify(edge)} is no name: 1 to 63 of a-z 0-9 -, no dash at either end`);
  const keys = resolve(input.text('keys') ?? 'keys');
  const config = input.text('config');
  const caFile = input.text('ca');
  const done = await enrol({
    gateway,
    token,
    keys,
    edge,
    caFile,
    configure: async (answer) => {
      if (config !== undefined && !(await exists(config)))
        await writeAgentFile(resolve(config), keys, { ...answer, gateway });
    },
  });
  const until = done.validTo.toISOString().replace(/\.\d+Z$/u, 'Z');
  print(
    done.isNew
      ? `enrolled as ${done.edge}; the certificate is good until ${until}, and the agent renews it\n`
      : `this is ${done.edge} already; its keys in ${keys} are good until ${until}, and were kept\n`,
  );
  if (config !== undefined && !(await exists(config)))
    throw cliError(
      'file-failed',
      `${config}: it is missing, and the keys are there: write it, or remove ${keys} to enrol anew`,
    );
}

function gatewayOf(input: CommandInput): string {
  const given = input.text('gateway');
  if (given === undefined) throw cliError('usage', '--gateway HOST:PORT is missing');
  const [, host = '', port] = /^(\[[\da-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/u.exec(given) ?? [];
  if (host === '' || Number(port ?? 1) > 65_535 || port === '0')
    throw cliError('usage', `--gateway takes HOST:PORT, not ${JSON.stringify(given)}`);
  return `${host}:${port ?? PUBLIC_PORT}`;
}

async function tokenOf(input: CommandInput): Promise<string> {
  const [given, file] = [input.text('token'), input.text('tokenFile')];
  if (given !== undefined && file !== undefined) throw cliError('usage', '--token and --token-file exclude each other');
  const token = file === undefined ? (given ?? process.env['CAUSEWAY_TOKEN']) : await readToken(file);
  if (token === undefined || token.trim() === '')
    throw cliError('usage', 'there is no token: give --token, --token-file or CAUSEWAY_TOKEN');
  return token.trim();
}

async function readToken(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw cliError('file-failed', `${file}: ${messageOf(error)}`, error);
  }
}

/** What the edge offers is for its owner to say; this offers nothing of the machine itself. */
async function writeAgentFile(
  file: string,
  keys: string,
  {
    edge,
    gateways,
    gateway,
  }: { readonly edge: string; readonly gateways: readonly string[]; readonly gateway: string },
): Promise<void> {
  await writeNew(
    file,
    yamlFile(
      [
        `The agent of ${edge}: causeway agent run --config ${file}`,
        'Relative paths are taken from where this file is.',
        'Only the services and addresses that stand here can be reached, for instance:',
        '  - { name: web, kind: http, url: http://127.0.0.1:8080 }',
        '  - { name: ssh, kind: tcp, address: 127.0.0.1:22 }',
      ],
      {
        gateways,
        public: [gateway],
        keys: near(file, keys),
        data: near(file, join(dirname(keys), 'data')),
        services: [{ name: 'kube', kind: 'embedded' }],
        addresses: [],
      },
    ),
  );
}

/** A path below the file's folder from there, any other whole. */
function near(file: string, path: string): string {
  const from = relative(dirname(file), path);
  return from.startsWith('..') ? path : from;
}
