import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { HandOut, someToken, type HandOutOptions } from './hand-out.ts';
import { TestFleet } from '../support/certificates.ts';

const HOUR_MS = 3_600_000;
const clockFix = /fix: set it \(timedatectl set-ntp true/;

for (const [tool, without] of Object.entries({ curl: ['wget'], wget: ['curl'] })) {
  const start = (t: Test, options: HandOutOptions = {}): Promise<HandOut> => HandOut.start(t, { ...options, without });

  void test(`with ${tool} the script refuses`, async (t) => {
    void t.test('a gateway that another root vouches for, whatever the machine trusts besides', async (t) => {
      const handOut = await start(t);
      const own = join(handOut.folder, 'own.pem');
      writeFileSync(own, (await TestFleet.create()).trust.pem);
      Object.assign(handOut.env, {
        CURL_CA_BUNDLE: handOut.ca,
        SSL_CERT_FILE: handOut.ca,
        SSL_CERT_DIR: handOut.folder,
      });
      writeFileSync(join(handOut.folder, 'home', '.curlrc'), 'insecure\n');
      writeFileSync(join(handOut.folder, 'home', '.wgetrc'), 'check_certificate = off\n');
      await handOut.refuses(4, /is not vouched for by the fleet's root/, /fix: copy the line again/, '--ca', own);
      t.same(handOut.asked, [], 'nothing was asked for');
    });

    void t.test('a certificate that is not valid yet by the clock here', async (t) => {
      const handOut = await start(t, { leaf: { at: Date.now() + 48 * HOUR_MS } });
      await handOut.refuses(1, /not valid at the time that this machine's clock shows/, clockFix);
    });

    void t.test('a certificate that has expired by the clock here', async (t) => {
      const handOut = await start(t, { leaf: { at: Date.now() - 48 * HOUR_MS, validMs: HOUR_MS } });
      await handOut.refuses(1, /not valid at the time that this machine's clock shows/, clockFix);
    });

    void t.test('a clock that is off by more than five minutes', async (t) => {
      const behind = await start(t, { clockOff: 7200 });
      await behind.refuses(1, /the clock of this machine is (7199|7200) seconds behind the gateway's/, clockFix);
      const ahead = await start(t, { clockOff: -900 });
      await ahead.refuses(1, /the clock of this machine is 90[01] seconds ahead of the gateway's/, clockFix);
    });

    void t.test('an address that the certificate does not name', async (t) => {
      const handOut = await start(t, { leaf: { hosts: ['gateway.example'] } });
      await handOut.refuses(
        5,
        /the certificate of 127\.0\.0\.1:\d+ does not name that address/,
        /fix: use a name or address/,
      );
    });

    void t.test('a port where nobody answers', async (t) => {
      const handOut = await start(t);
      await handOut.refuses(
        5,
        /nothing answers at 127\.0\.0\.1:1\n/,
        /fix: check the address and the port/,
        '--gateway',
        '127.0.0.1:1',
      );
    });

    void t.test('a gateway without an agent for this machine', async (t) => {
      const handOut = await start(t, { answer: () => ({ status: 404 }) });
      await handOut.refuses(1, /the gateway has no such file: the agent for /, /fix: build it \(npm run build:agent\)/);
    });

    void t.test('an agent that is not the one that the gateway names', async (t) => {
      const answer = (path: string) =>
        path.endsWith('4') ? { body: Buffer.from('#!/bin/sh\necho 6.6.6\n') } : undefined;
      const plain = await start(t, { answer: (path) => (path.endsWith('.gz') ? { status: 404 } : answer(path)) });
      await plain.refuses(1, /its SHA-256 is another/, /fix: run the same line again/);
    });

    void t.test('an agent that came in part', async (t) => {
      const cut = { body: Buffer.from('#!/bin/sh\n'), length: 1000 };
      const handOut = await start(t, { answer: (path) => (path.endsWith('.sha256') ? undefined : cut) });
      await handOut.refuses(5, /the download of the agent for .* was cut short/, /fix: run the same line again/);
    });
  });
}

void test('the script refuses a machine', async (t) => {
  void t.test('of an architecture that there is no agent for', async (t) => {
    const handOut = await HandOut.start(t);
    handOut.tool('uname', 'case $1 in -s) echo Linux ;; *) echo riscv64 ;; esac');
    await handOut.refuses(
      1,
      /there is no agent for the architecture riscv64/,
      /fix: use a machine with x86-64 or arm64/,
    );
  });

  void t.test('where it is not root, unless it installs somewhere else', async (t) => {
    const handOut = await HandOut.start(t);
    handOut.tool('id', 'echo 1000');
    await handOut.refuses(
      4,
      /this is not root/,
      /fix: run the line as root \(sudo\), or .* --prefix DIR/,
      '--prefix',
      '/',
    );
    t.same(handOut.asked, []);
  });

  void t.test('that has nothing to fetch with', async (t) => {
    const handOut = await HandOut.start(t, { without: ['curl', 'wget'] });
    await handOut.refuses(1, /neither curl nor a wget that verifies certificates/, /fix: install curl/);
    // The wget of busybox takes any certificate.
    handOut.tool('wget', 'echo "Usage: wget [-cqS] [--no-check-certificate] URL"');
    await handOut.refuses(1, /neither curl nor a wget that verifies certificates/, /fix: install curl/);
  });

  void t.test('that has no room', async (t) => {
    const handOut = await HandOut.start(t);
    handOut.tool('df', 'echo Filesystem; echo "/dev/vda 1000000 990000 10000 99% /"');
    await handOut.refuses(1, /there are 10 MB free in .*, and 400 MB are needed/, /fix: make room/);
  });

  void t.test('where the agent does not run', async (t) => {
    const handOut = await HandOut.start(t, {
      agent: '#!/bin/sh\necho "error while loading shared libraries: libstdc++.so.6" >&2\nexit 127\n',
    });
    await handOut.refuses(1, /does not run on this machine: error while loading.*libstdc/, /fix: it needs glibc/);
  });
});

void test('the script refuses what it is told', async (t) => {
  const handOut = await HandOut.start(t);
  await handOut.refuses(2, /the token is not whole/, /fix: copy the whole line/, '--token', 'cwt1.abc');
  await handOut.refuses(2, /there is no option --insecure/, /fix: sh bootstrap\.sh --help/, '--insecure');
  await handOut.refuses(2, /--ca needs a value/, /fix: /, '--ca');
  await handOut.refuses(2, /the roots cannot be read: \/nowhere/, /fix: check the path/, '--ca', '/nowhere');
  await handOut.refuses(2, /there is no certificate in /, /fix: copy the whole line/, '--ca', '/dev/null');
  await handOut.refuses(2, /is not HOST:PORT/, /fix: /, '--gateway', 'a b:1');
  await handOut.refuses(2, /has no port/, /fix: /, '--gateway', 'gateway.example');
  await handOut.refuses(2, /is not an absolute path/, /fix: /, '--prefix', 'here');
  t.same(handOut.asked, []);
});

void test('what the agent says of the token is what the script says, and nothing is left of the try', async (t) => {
  const said = 'causeway: the token has been used\\nfix: ask for a new one\\n';
  const handOut = await HandOut.start(t, {
    agent: `#!/bin/sh\n[ "$1" = version ] && echo 9.9.9 && exit\necho "$@" >"$TMPDIR/../told"\necho "$CAUSEWAY_TOKEN" >>"$TMPDIR/../told"\nprintf '${said}' >&2\nexit 4\n`,
  });
  const { code, stderr } = await handOut.bootstrap('--edge', 'edge-7');
  t.equal(code, 4);
  t.equal(stderr, 'causeway: the token has been used\nfix: ask for a new one\n');
  t.notOk(existsSync(join(handOut.prefix, 'etc/causeway-agent')));
  const told = readFileSync(join(handOut.folder, 'told'), 'utf8');
  t.match(told, /^agent enrol --gateway 127\.0\.0\.1:\d+ --keys .* --config .* --edge edge-7\n/);
  t.notMatch(
    told.split('\n')[0],
    someToken,
    'the token is not on a command line, which every user of the machine can read',
  );
  t.match(told.split('\n')[1], someToken);
});
