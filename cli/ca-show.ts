import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { identityKinds, keyPinOf, parseTrustBundle } from '../certs/index.ts';
import { authorityFiles, exists } from './fleet-files.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { outputOption, show, table } from './output.ts';

export const caShowCommand: CommandSpec = {
  name: 'show',
  summary: 'show the authorities of the fleet: till when they are good, their pins and fingerprints',
  options: [{ flags: '--dir DIR', help: 'the folder with the authorities', default: 'ca' }, outputOption],
  notes:
    'Only certificates are read: keys may be elsewhere. The pin is that of the public key, as tokens and EdgeNodes hold it.',
  examples: ['ca show --dir fleet/ca', 'ca show --dir fleet/ca --output json'],
  run: showAuthorities,
};

interface ShownAuthority {
  readonly name: string;
  readonly notAfter: string;
  readonly pin: string;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  readonly hasKey: boolean;
}

async function showAuthorities(input: CommandInput): Promise<void> {
  const folder = resolve(input.text('dir') ?? 'ca');
  const found: ShownAuthority[] = [];
  for (const name of ['root', ...identityKinds] as const) {
    const { cert, key } = authorityFiles(folder, name);
    if (await exists(cert)) found.push(shown(name, await certificateIn(cert), await exists(key)));
  }
  const trust = join(folder, 'trust.pem');
  if (await exists(trust)) {
    const { roots } = parseTrustBundle(await readFile(trust, 'utf8'));
    const others = roots.map((root) => shown('trusted root', root, false));
    found.push(...others.filter(({ fingerprint }) => found[0]?.fingerprint !== fingerprint));
  }
  if (found.length === 0) throw cliError('file-failed', `${folder}: there is no authority in it`);
  const rows = found.map(({ name, notAfter, hasKey, pin, fingerprint }) => [
    name,
    notAfter.slice(0, 10),
    hasKey ? 'here' : '-',
    pin,
    fingerprint.replaceAll(':', '').slice(0, 16).toLowerCase(),
  ]);
  const text = (): string => table(['AUTHORITY', 'GOOD UNTIL', 'KEY', 'PIN', 'SHA-256'], rows);
  show(input, { value: found, names: found.map(({ name }) => name), text });
}

async function certificateIn(file: string): Promise<X509Certificate> {
  try {
    return new X509Certificate(await readFile(file));
  } catch (error) {
    throw cliError('file-failed', file, error);
  }
}

function shown(name: string, certificate: X509Certificate, hasKey: boolean): ShownAuthority {
  return {
    name,
    notAfter: certificate.validToDate.toISOString(),
    pin: keyPinOf(certificate),
    fingerprint: certificate.fingerprint256,
    hasKey,
  };
}
