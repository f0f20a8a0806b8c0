import { cliError } from './cli-error.ts';
import { clientOption, withApi } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { ago, outputOption, show, table } from './output.ts';
import { liftRevocation, listRevocations, revoke, revokedBy, type RevocationTarget } from './revocations.ts';
import { print } from './terminal.ts';

export const revocationCommand: CommandSpec = {
  name: 'revocation',
  summary: 'revoke identities, keys and certificates, and lift that',
  commands: [
    {
      name: 'ls',
      summary: 'list what is revoked',
      options: [clientOption, outputOption],
      examples: ['revocation ls'],
      run: list,
    },
    {
      name: 'add',
      summary: 'revoke an identity, a key or one certificate: what it holds open is cut',
      arguments: ['[PRINCIPAL]'],
      options: [
        { flags: '--key PIN', help: 'in place of a principal: a key, as `sha256/...`' },
        { flags: '--serial HEX', help: 'in place of a principal: one certificate' },
        { flags: '--reason TEXT', help: 'why, for whoever looks at it later' },
        clientOption,
        outputOption,
      ],
      notes:
        'A key stays revoked under every name. `node ban EDGE` revokes an edge with its key, and takes it off the whitelist.',
      examples: ['revocation add operator/alice --reason "left the company"', 'revocation add --serial 4f:1a:22'],
      run: add,
    },
    {
      name: 'rm',
      summary: 'lift revocations',
      arguments: ['<NAME...>'],
      options: [clientOption],
      examples: ['revocation rm operator-x7k2p'],
      run: lift,
    },
  ],
};

function list(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    const revocations = await listRevocations(api);
    const rows = revocations.map((revocation) => [
      revocation.metadata.name,
      revokedBy(revocation),
      ago(revocation.metadata.creationTimestamp),
      revocation.spec.reason ?? '',
    ]);
    show(input, {
      value: { apiVersion: 'causeway.io/v1', kind: 'RevocationList', items: revocations },
      names: revocations.map(({ metadata }) => metadata.name),
      text: () => (rows.length === 0 ? 'Nothing is revoked.\n' : table(['NAME', 'REVOKED', 'AGE', 'REASON'], rows)),
    });
  });
}

function add(input: CommandInput): Promise<void> {
  const { target, name } = targetOf(input);
  return withApi(input, async (api) => {
    const revocation = await revoke(api, name, target, input.text('reason'));
    const { metadata } = revocation;
    show(input, {
      value: revocation,
      names: [metadata.name],
      text: () => `${revokedBy(revocation)} revoked; \`causeway revocation rm ${metadata.name}\` lifts it\n`,
    });
  });
}

function lift(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    for (const name of input.arguments) {
      await liftRevocation(api, name);
      print(`${name} lifted\n`);
    }
  });
}

function targetOf(input: CommandInput): { readonly target: RevocationTarget; readonly name: string } {
  const [principal, keyPin, serial] = [input.arguments[0], input.text('key'), input.text('serial')];
  if ([principal, keyPin, serial].filter((given) => given !== undefined).length !== 1)
    throw cliError('usage', 'give one of PRINCIPAL, --key and --serial');
  if (keyPin !== undefined) return { target: { keyPin }, name: 'key-' };
  if (serial !== undefined) return { target: { serial }, name: 'serial-' };
  const kind = principal?.split('/', 1)[0] ?? '';
  if (!['edge', 'operator', 'component', 'replica'].includes(kind))
    throw cliError('usage', 'a principal is edge/ID, operator/NAME, component/NAME or replica/SITE/NAME');
  return { target: { principal: principal ?? '' }, name: `${kind}-` };
}
