import { test } from 'tap';
import { TestFleet } from '../support/certificates.ts';
import { peerOf } from './chain.ts';
import { openDoors } from './chain-doors.ts';
import { chainTable } from './chain-table.ts';

test(
  'each chain of the table has its verdict, in a handshake with a replica, with a peer and with an agent',
  { timeout: 200_000 },
  async (t) => {
    const { fleet, doors } = await openDoors(t);
    const stranger = await TestFleet.create(fleet.trustDomain);
    const names = new Set(chainTable.map(({ name }) => name));
    t.equal(names.size, chainTable.length, 'a row has a name of its own');
    t.ok(chainTable.length >= 80);
    for (const { name, chain, verdict } of chainTable) {
      const wanted: Record<string, string> = {};
      const seen: Record<string, string> = {};
      for (const { door, kind, offer } of doors) {
        const expected = typeof verdict === 'string' ? verdict : verdict[door];
        if (expected === undefined) continue;
        wanted[door] = expected;
        seen[door] = await offer(chain(peerOf(fleet, stranger, kind)));
      }
      t.strictSame(seen, wanted, name);
    }
  },
);
