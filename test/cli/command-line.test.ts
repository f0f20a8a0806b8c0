import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { CommandInput } from '../../cli/command-line.ts';
import { settingsOf } from '../../cli/run-role.ts';
import { causeway } from './causeway.ts';

const empty = mkdtempSync(join(tmpdir(), 'causeway-cli-'));
process.on('exit', () => rmSync(empty, { recursive: true, force: true }));

test('every command has help with examples, on stdout and with exit code 0', async (t) => {
  const commands = [
    [],
    ['dev'],
    ['init'],
    ['gateway', 'run'],
    ['agent', 'run'],
    ['node', 'ls'],
    ['node', 'allow'],
    ['get'],
    ['watch'],
    ['apply'],
    ['delete'],
    ['kubeconfig'],
    ['curl'],
    ['port-forward'],
    ['dial'],
    ['status'],
  ];
  for (const command of commands) {
    const help = await causeway([...command, '--help']);
    t.equal(help.exitCode, 0, command.join(' '));
    t.match(String(help.stdout), /Usage: causeway[\s\S]*Examples:\n {2}causeway /u);
  }
});

test('a wrong command line says what is wrong and how to go on, with exit code 2', async (t) => {
  const wrong: readonly (readonly string[])[] = [
    [],
    ['nod'],
    ['node'],
    ['node', 'ls', '--outptu', 'json'],
    ['node', 'ls', '--output', 'xml'],
    ['node', 'show'],
    ['curl', 'edge-1'],
    ['port-forward', 'edge-1', 'a:b'],
    ['dev', '--edges', 'two'],
    ['dev', '--sites', '2', '--store', 'embedded'],
    ['dev', '--store', 'embedded', '--etcd', 'https://127.0.0.1:2379'],
    ['dev', '--driver', 'qemu'],
    ['gateway', 'run', '--config', 'missing.yaml'],
    ['gateway', 'run', '--set', 'nonsense'],
  ];
  for (const args of wrong) {
    const refused = await causeway(args, { cwd: empty });
    t.equal(refused.exitCode, 2, args.join(' '));
    t.equal(refused.stdout.length, 0, 'nothing on stdout');
    t.match(refused.stderr, args.length === 0 || args[0] === 'node' ? /causeway/u : /^causeway: .*\n[\s\S]*fix: /u);
  }
});

test('a client without a configuration is told how to name one', async (t) => {
  const refused = await causeway(['node', 'ls'], { cwd: empty });
  t.equal(refused.exitCode, 2);
  t.match(refused.stderr, /CAUSEWAY_CONFIG/u);
});

test('--set nests keys and reads values as YAML', (t) => {
  const input = new CommandInput([], {
    set: ['link.port=9001', 'log=debug', 'advertise=[a:1, b:2]', 'link.host=127.0.0.1', 'name=a=b'],
  });
  t.strictSame(settingsOf(input), {
    link: { port: 9001, host: '127.0.0.1' },
    log: 'debug',
    advertise: ['a:1', 'b:2'],
    name: 'a=b',
  });
  t.throws(() => settingsOf(new CommandInput([], { set: ['__proto__.x=1'] })), { code: 'usage' });
  t.end();
});

test('version prints the version', async (t) => {
  const { stdout, exitCode } = await causeway(['version']);
  t.match(String(stdout), /^\d+\.\d+\.\d+\n$/u);
  t.equal(exitCode, 0);
});
