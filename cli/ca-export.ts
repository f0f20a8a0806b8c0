import { resolve } from 'node:path';
import { identityName, loadKeyStore, writePkcs12, type KeyStore } from '../certs/index.ts';
import { clientConfig, clientOption } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { writeNew } from './fleet-files.ts';
import { newPassword, passwordOption } from './password.ts';
import { print } from './terminal.ts';
import { cliError } from './cli-error.ts';

export const caExportCommand: CommandSpec = {
  name: 'export',
  summary: "write an operator's key and certificate as a file for a browser, a key chain or curl",
  options: [
    { flags: '--p12 FILE', help: 'the PKCS#12 file to write; one that is there stays' },
    { flags: '--keys DIR', help: 'the key store to export (default: that of client.yaml)' },
    clientOption,
    { flags: '--name NAME', help: 'what it is listed as (default: the identity, operator/alice)' },
    passwordOption,
  ],
  notes:
    'The key in the file is encrypted with AES-256. Hand the password over another way than the file, and delete the file when it is imported.',
  examples: ['ca export --p12 alice.p12', 'ca export --keys fleet/operator --p12 alice.p12 --password-file password'],
  run: exportKeys,
};

async function exportKeys(input: CommandInput): Promise<void> {
  const file = input.text('p12');
  if (file === undefined) throw cliError('usage', 'give the file to write: --p12 FILE');
  const { chainPem, keyPem, identity, leaf } = await keysOf(input);
  const name = identityName(identity);
  if (identity.kind !== 'operator' && identity.kind !== 'component')
    throw cliError('usage', `${name} is no client of the API: only those of operators and components are exported`);
  const password = await newPassword(input);
  const content = { chainPem, keyPem, friendlyName: input.text('name') ?? name, password };
  await writeNew(file, await writePkcs12(content), 0o600);
  print(`${name}, good until ${leaf.validToDate.toISOString()}, is in ${resolve(file)}\n`);
}

async function keysOf(input: CommandInput): Promise<KeyStore> {
  const folder = input.text('keys');
  if (folder !== undefined) return await loadKeyStore(folder);
  const config = await clientConfig(input);
  return await loadKeyStore(config.keys, config.keyPassword);
}
