import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { waitFor } from '../support/wait-for.ts';
import { builtAgent } from './built-agent.ts';
import { Center } from './center.ts';
import { CleanMachine } from './clean-machine.ts';
import { bootstrapFile } from './hand-out.ts';
import { TwoNetworks, withoutNamespaces } from './two-networks.ts';

/** What the running agent writes itself. */
const own = ['/var/lib/causeway-agent/data', '/var/lib/causeway-agent/agent.log'];

void test('on a machine with nothing on it', { skip: withoutNamespaces, timeout: 280_000 }, async (t) => {
  const networks = TwoNetworks.open(t);
  const center = await Center.start(t, { network: networks.center, agentFiles: await builtAgent() });

  await t.test(
    'the line brings the edge online, a second time it changes nothing, and all of it can be taken away',
    async (t) => {
      const machine = await CleanMachine.start(t, { network: networks.edge, downloader: 'curl' });
      copyFileSync(bootstrapFile, join(machine.root, 'tmp/bootstrap.sh'));
      const before = machine.files();
      const { line, token } = await center.token('--edge', 'edge-7');

      const first = await machine.sh(line);
      t.equal(first.code, 0, first.stderr);
      t.match(first.stdout, /^enrolled as edge-7;/m);
      t.match(first.stdout, /^edge-7 is online$/m);
      t.notMatch(first.stdout + first.stderr, token, 'the token is not repeated');
      t.match((await center.causeway('node', 'ls')).stdout, /^edge-7 +Allowed +yes/m);

      const installed = machine.files(own);
      const mode = (path: string): string | undefined => installed[path]?.split(' ')[0];
      t.equal(mode('/var/lib/causeway-agent'), '40700');
      t.equal(mode('/var/lib/causeway-agent/keys/key.pem'), '100600');
      t.equal(mode('/etc/causeway-agent'), '40750');
      t.equal(mode('/etc/causeway-agent/agent.yaml'), '100640');
      t.match(
        installed['/etc/causeway-agent/agent.yaml'],
        / 0:\d+ /,
        'what can be reached is not for the agent to change',
      );
      t.match(installed['/var/lib/causeway-agent/keys/key.pem'], / [1-9]\d*:[1-9]\d* /, 'its key is its own');

      const second = await machine.sh(line);
      t.equal(second.code, 0, second.stderr);
      t.equal(second.stdout, 'nothing to do: everything is in place\nedge-7 is online\n');
      t.same(machine.files(own), installed);

      const other = await machine.sh(line.replace('--edge edge-7', '--edge edge-8'));
      t.equal(other.code, 1);
      t.match(other.stderr, /there are keys already, and they are not those that were asked for/);
      t.same(machine.files(own), installed, 'an edge does not become another by mistake');

      await machine.sh('kill $(cat /var/lib/causeway-agent/agent.pid)');
      await waitFor(
        'the agent to end',
        async () => (await machine.sh('test -S /var/lib/causeway-agent/data/agent.sock')).code === 1,
      );
      const third = await machine.sh(line);
      t.equal(third.code, 0, third.stderr);
      t.match(third.stdout, /^started the agent/, 'one that has ended is started');

      const removed = await machine.sh('sh /tmp/bootstrap.sh --uninstall');
      t.equal(removed.code, 0, removed.stderr);
      t.same(namesOf(machine.files()), namesOf(before));
      t.equal(machine.text('/etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
      t.equal(machine.text('/etc/group'), 'root:x:0:\n');
      t.equal((await machine.sh('sh /tmp/bootstrap.sh --uninstall')).stdout, 'nothing to do: nothing is installed\n');
    },
  );

  await t.test(
    'a token that is not good is refused, and nothing of the try is left; a good one does then',
    async (t) => {
      const machine = await CleanMachine.start(t, { network: networks.edge, downloader: 'wget' });
      const { line, token } = await center.token('--edge', 'edge-9');
      const used = await usedToken();
      const foreign = await center.token('--edge', 'edge-10');
      const expired = await center.expiredToken('edge-9');
      const [version = '', id = '', secret = '', pin = ''] = token.split('.');
      const turned = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;

      const cases = [
        { what: 'used', with: used, says: /refuses: the token has been used/, code: 4, audit: 'token-used' },
        { what: 'expired', with: expired, says: /refuses: the token has expired/, code: 4, audit: 'token-expired' },
        {
          what: 'of another edge',
          with: foreign.token,
          says: /refuses: the token is for another edge/,
          code: 4,
          audit: 'token-foreign',
        },
        {
          what: 'tampered with',
          with: [version, id, turned(secret), pin].join('.'),
          says: /refuses: it does not know this token/,
          code: 4,
          audit: 'token-unknown',
        },
        { what: 'cut', with: token.slice(0, -1), says: /this is no join token: it has \d+ characters/ },
        { what: 'of three parts', with: [version, id, secret].join('.'), says: /the token is not whole/, code: 2 },
        {
          what: 'with the pin of another root',
          with: [version, id, secret, turned(pin)].join('.'),
          says: /is not the gateway that the token is from; nothing was sent/,
        },
      ];
      let refusals: string[] = center.refusals();
      for (const { what, with: given, says, code, audit } of cases) {
        const ran = await machine.sh(line.replace(token, given));
        t.not(ran.code, 0, what);
        if (code !== undefined) t.equal(ran.code, code, what);
        t.match(ran.stderr, says, what);
        t.match(ran.stderr, /^fix: /m, what);
        const now = center.refusals();
        t.same(now.slice(refusals.length), audit === undefined ? [] : [audit], `${what}, as the audit log has it`);
        refusals = now;
        t.notOk(machine.has('/etc/causeway-agent'), what);
        t.notOk(machine.has('/var/lib/causeway-agent/keys/cert.pem'), what);
      }
      const good = await machine.sh(line);
      t.equal(good.code, 0, good.stderr);
      t.match(good.stdout, /^edge-9 is online$/m);
    },
  );

  /** One for edge-9 that another machine has had its certificate for. */
  async function usedToken(): Promise<string> {
    const { token, gateway } = await center.token('--edge', 'edge-9');
    const { code, stderr } = await center.causeway(
      'agent',
      'enrol',
      '--gateway',
      gateway,
      '--token',
      token,
      '--keys',
      join(center.folder, 'other'),
    );
    if (code !== 0) throw new Error(stderr);
    return token;
  }
});

/** Without what the commands that make and remove users keep for themselves. */
function namesOf(files: Readonly<Record<string, string>>): string[] {
  return Object.keys(files).filter((name) => !/^\/etc\/(.*-|\.pwd\.lock|shadow|gshadow|subuid|subgid)$/u.test(name));
}
