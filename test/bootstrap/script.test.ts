import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { enrolLine } from '../../cli/enrol-line.ts';
import { checkout } from '../../deploy/agent/agent-file.ts';
import { findCommand, missing } from '../support/program.ts';
import { bootstrapFile, run } from './hand-out.ts';

const script = readFileSync(bootstrapFile, 'utf8');
const unit = readFileSync(join(checkout, 'deploy/systemd/causeway-agent.service'), 'utf8');
const line = enrolLine({ gateway: 'gw.example:8442', token: 'cwt1.a.b.c', root: 'PEM', edge: 'edge-7' });

void test('the script installs the unit that stands in deploy/systemd', async (t) => {
  t.equal(/<<'UNIT'\n(.*)UNIT\n/su.exec(script)?.[1], unit);
  t.notMatch(unit, /^MemoryDenyWriteExecute/m, 'the JavaScript engine compiles at run time');
  for (const setting of [
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'User=causeway-agent',
    'CapabilityBoundingSet=',
  ])
    t.match(unit, new RegExp(`^${setting}$`, 'm'));
});

void test('no way around verification stands in the script or in the line that fetches it', async (t) => {
  for (const text of [script, line]) {
    t.notMatch(text, /curl\b[^\n]* (-\w*k\w*|--insecure)\b/);
    t.notMatch(text, /no-check-certificate|--proxy-insecure|http:\/\//);
    t.match(text, /curl -q .*--cacert .*--capath /, 'nor are there roots besides the fleet’s');
    t.match(text, /wget --no-config .*--ca-certificate=.* --ca-directory=/);
  }
});

void test('the script is POSIX shell, as shellcheck sees it', { skip: missing('shellcheck') }, async (t) => {
  const args = ['--shell=sh', bootstrapFile];
  t.equal((await run(findCommand('shellcheck', 'shellcheck'), args)).stdout, '');
  t.doesNotThrow(() => execFileSync('dash', ['-n', bootstrapFile]));
  t.doesNotThrow(() => execFileSync('dash', ['-n', '-c', line]));
});

void test('help says what the script takes', async (t) => {
  const { code, stdout } = await run('dash', [bootstrapFile, '--help']);
  t.equal(code, 0);
  for (const option of ['--gateway', '--token', '--ca', '--edge', '--prefix', '--wait', '--uninstall'])
    t.match(stdout, option);
});
