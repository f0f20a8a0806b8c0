import { systemClock } from '../../base/index.ts';
import { dialLink, Link, Ticker } from '../../tunnel/index.ts';
import { serveAsChild, startChild, type Child } from '../baseline/child.ts';
import { clientOptions, type PemCredentials } from '../baseline/credentials.ts';

interface SwarmOptions {
  readonly credentials: PemCredentials;
  readonly linkPort: number;
  readonly count: number;
}

/** Opened at once, so that handshakes neither queue for long nor wait for each other. */
const AT_ONCE = 32;

/** What keeps them. */
const links: Link[] = [];

/** Opens many links in a process of its own, and keeps them; ready when all are open. */
export async function startLinkSwarm(options: SwarmOptions): Promise<Child<object>> {
  return await startChild(import.meta.filename, options);
}

async function run({ credentials, linkPort, count }: SwarmOptions): Promise<object> {
  const ticker = new Ticker(systemClock);
  const tls = clientOptions(credentials);
  let next = 0;
  const dialer = async (): Promise<void> => {
    while (next < count) await openLink(`swarm-${next++}`, ticker, await dialLink(`127.0.0.1:${linkPort}`, tls));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, dialer));
  return {};
}

function openLink(id: string, ticker: Ticker, wire: Awaited<ReturnType<typeof dialLink>>): Promise<void> {
  return new Promise((resolve, reject) => {
    links.push(
      new Link({
        id,
        wire,
        role: 'dialer',
        clock: systemClock,
        ticker,
        hello: { role: 'client', version: 1, instance: id },
        user: { onHello() {}, onOpen: () => resolve(), onUpdate() {}, onGoaway() {}, onClose: reject },
      }),
    );
  });
}

if (import.meta.main) serveAsChild(run);
