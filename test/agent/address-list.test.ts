import { createServer } from 'node:net';
import { test } from 'tap';
import { AddressList, type Lookup } from '../../edge-agent/services/address-list.ts';
import { ServiceTable } from '../../edge-agent/services/index.ts';
import { listen } from '../support/edge-path.ts';
import { MemoryOpener } from '../support/stream-pair.ts';

/** A name server that answers as it is told. */
function resolver(names: Readonly<Record<string, readonly string[]>>): Lookup {
  return async (host) => (names[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
}

const names = {
  'inside.local': ['10.0.0.9'],
  'outside.local': ['192.0.2.1'],
  'both.local': ['192.0.2.1', '10.0.0.9', '::ffff:10.0.0.10'],
  'evil.local': ['127.0.0.1', '169.254.169.254', '::1', '::', '0.0.0.0', 'fe80::1', '::ffff:127.0.0.1', '::127.0.0.1'],
  '127.1': ['127.0.0.1'],
  '0x7f.1': ['127.0.0.1'],
  '2130706433': ['127.0.0.1'],
};

const list = new AddressList(
  ['10.0.0.0/8:22', '[fd00::/8]:443', '192.0.2.7:*', 'evil.local:22', 'outside.local:5432', '[2001:db8::1]:80'],
  resolver(names),
);

/** What may be dialed for it, or the code of the refusal. */
async function dialed(text: string, from = list): Promise<readonly string[] | string> {
  try {
    return (await from.resolve(text)).addresses.map(({ address }) => address);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('an address may be dialed when a rule covers it with its port, in every way to write it', async (t) => {
  const rows: readonly [string, readonly string[] | string][] = [
    ['10.1.2.3:22', ['10.1.2.3']],
    ['10.1.2.3:23', 'address-denied'],
    ['11.1.2.3:22', 'address-denied'],
    ['192.0.2.7:1', ['192.0.2.7']],
    ['192.0.2.7:65535', ['192.0.2.7']],
    ['192.0.2.7:65536', 'address-denied'],
    ['192.0.2.7:0', 'address-denied'],
    ['[fd12:3456::1]:443', ['fd12:3456::1']],
    ['[FD12:3456:0:0:0:0:0:1]:443', ['fd12:3456::1']],
    ['[fe12::1]:443', 'address-denied'],
    ['[2001:db8:0:0::0:1]:80', ['2001:db8::1']],
    ['[2001:db8::2]:80', 'address-denied'],
    ['[::ffff:10.1.2.3]:22', ['10.1.2.3']],
    ['[::ffff:a01:203]:22', ['10.1.2.3']],
    ['[0:0:0:0:0:ffff:a01:203]:22', ['10.1.2.3']],
    ['[::ffff:127.0.0.1]:22', 'address-denied'],
    ['[::10.1.2.3]:22', 'address-denied'],
    ['[fd00::1%lo]:443', ['fd00::1']],
    ['fd00::1:443', 'address-denied'],
    ['10.1.2.3', 'address-denied'],
    ['10.1.2.3:22 ', 'address-denied'],
    ['10.1.2.3:+22', 'address-denied'],
    ['10.1.2.3:22:22', 'address-denied'],
    ['user@10.1.2.3:22', 'address-denied'],
    ['10.1.2.3\n:22', 'address-denied'],
  ];
  for (const [text, expected] of rows) t.strictSame(await dialed(text), expected, text);
});

test('a name gives no way around the list: what it resolves to is checked, and that is dialed', async (t) => {
  t.strictSame(await dialed('inside.local:22'), ['10.0.0.9'], 'a range admits what resolves into it');
  t.equal(await dialed('outside.local:22'), 'address-denied', 'and nothing else');
  t.strictSame(await dialed('both.local:22'), ['10.0.0.9', '10.0.0.10'], 'of many the ones that are covered');
  t.strictSame(await dialed('OUTSIDE.local.:5432'), ['192.0.2.1'], 'a rule with a name admits it');
  t.equal(await dialed('evil.local:22'), 'address-denied', 'except where it leads to this machine or its link');
  for (const name of ['127.1', '0x7f.1', '2130706433']) t.equal(await dialed(`${name}:22`), 'address-denied', name);
});

test('a name server that changes its answer gains nothing: a name is asked for once', async (t) => {
  let asked = 0;
  const rebinding: Lookup = async () => [{ address: asked++ === 0 ? '10.0.0.9' : '127.0.0.1', family: 4 }];
  const target = await new AddressList(['10.0.0.0/8:22'], rebinding).resolve('rebinds.local:22');
  t.strictSame([target.addresses, asked], [[{ address: '10.0.0.9', family: 4 }], 1]);
});

test('what is dialed is what was checked, over real connections', async (t) => {
  const server = await listen(createServer((socket) => socket.end('here')) as never);
  t.teardown(() => server.close());
  let asked = 0;
  // First the server, then a place where nobody is.
  const lookup: Lookup = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
  const table = new ServiceTable({ services: [], addresses: [`127.0.0.1:${server.port}`] }, { lookup });
  t.teardown(() => table.destroy());
  const opener = new MemoryOpener((stream) => table.dispatchStream(stream));
  const dial = async (path: string): Promise<string> => {
    const target = { edge: 'e', service: '', kind: 'tcp', verb: 'connect', path, principal: 'operator/test' };
    const stream = opener.open(target);
    stream.end();
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return text;
  };
  t.equal(await dial(`rebinds.local:${server.port}`), 'here');
  t.equal(asked, 1);
  t.equal(await dial(`[::ffff:127.0.0.1]:${server.port}`), 'here');
  await t.rejects(dial(`rebinds.local:${server.port}`), { code: 'address-denied' });
});
