import { identityName, loadKeyStore, saveKeyStore } from '../certs/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { print } from './terminal.ts';

export const caEncryptCommand: CommandSpec = {
  name: 'encrypt',
  summary: 'encrypt the key of a key store with a password, or change that',
  arguments: ['<KEYS>'],
  options: [
    { flags: '--password-file FILE', help: 'a file with the password in its first line, where it stays readable' },
  ],
  notes:
    'Whoever uses the key store has to name that file: keyPassword in gateway.yaml, agent.yaml or client.yaml, or the variable CAUSEWAY_KEY_PASSWORD.',
  examples: ['ca encrypt fleet/operator --password-file /run/secrets/operator'],
  run: encrypt,
};

async function encrypt(input: CommandInput): Promise<void> {
  const passwordFile = input.text('passwordFile');
  if (passwordFile === undefined) throw cliError('usage', 'give the file with the password: --password-file FILE');
  const folder = input.argument(0);
  const { chainPem, keyPem, trust, identity } = await loadKeyStore(folder);
  await saveKeyStore(folder, { chainPem, keyPem, trustPem: trust.text }, passwordFile);
  print(`the key of ${identityName(identity)} in ${folder} is encrypted\n`);
}
