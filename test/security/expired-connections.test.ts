/** A certificate that has expired opens nothing any more; nor does what it has opened stay open. */
import { join } from 'node:path';
import { test } from 'tap';
import { systemClock } from '../../base/index.ts';
import { clientTls, loadKeyStore } from '../../certs/index.ts';
import { dialLink, Link, Ticker, type LinkBody } from '../../tunnel/index.ts';
import { begin, closed, WEB } from '../integration/start.ts';
import { within } from '../support/wait-for.ts';
import { keptConnection, keysOf, MALLORY, startFleet } from './fleet.ts';

const VALID_MS = 5000;

test('when a certificate expires, its connections to the API and its links end', async (t) => {
  const { cluster } = await startFleet(t);
  const lasting = await keysOf(cluster, MALLORY);
  const folder = await cluster.certificates.keyStore(join(cluster.folder, 'short'), MALLORY, { validMs: VALID_MS });
  const short = await loadKeyStore(folder);
  const agent = keptConnection(t, cluster, short);
  const ask = () => cluster.ask(`${WEB}/`, { agent, credentials: short });
  t.equal((await ask()).status, 200);
  const watch = await begin(cluster, '/apis/causeway.io/v1/edgenodes?watch=1', { credentials: short });
  t.equal(watch.response.statusCode, 200);
  const own = await begin(cluster, '/apis/causeway.io/v1/edgenodes?watch=1', { credentials: lasting });
  const isWatchGone = closed(watch.response);

  const goaway = Promise.withResolvers<LinkBody>();
  const gone = Promise.withResolvers<string>();
  const link: Link = new Link({
    id: 'short',
    wire: await dialLink(`127.0.0.1:${cluster.ports.link}`, clientTls(short)),
    role: 'dialer',
    clock: systemClock,
    ticker: new Ticker(systemClock),
    hello: { role: 'client', version: 1, instance: 'deadbeef' },
    user: {
      onHello() {},
      onOpen() {},
      onUpdate() {},
      onGoaway: goaway.resolve,
      onClose: ({ message }) => gone.resolve(message),
    },
  });
  t.match(await within('the link to be asked to leave', goaway.promise), { windowMs: 10_000 });
  t.ok(link.open, 'its successor has a moment');
  const refused = await ask();
  t.equal(refused.status, 401);
  t.equal(refused.headers.connection, 'close', 'on the connection that was open');
  t.match(await within('the link to end', gone.promise, 15_000), /has expired/u);
  await within('the watch to end', isWatchGone);
  t.notOk(own.response.destroyed, 'others go on');
  own.response.destroy();
});
