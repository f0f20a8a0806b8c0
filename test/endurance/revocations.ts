/**
 * What a denial has to do while everything is busy: `causeway node deny edge-1` ends its links, streams, requests and watches within
 * two seconds, and nothing of edge-2. A copy of its certificate stays out, and no connection resumes an earlier one's session.
 *
 *     node test/endurance/revocations.ts [--long]
 */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { codeOf, systemClock } from '../../base/index.ts';
import { clientTls, loadKeyStore, type KeyStore } from '../../certs/index.ts';
import { dialLink } from '../../tunnel/index.ts';
import { causeway } from '../cli/causeway.ts';
import { waitFor } from '../support/wait-for.ts';
import { EnduranceFleet } from './endurance-fleet.ts';
import { percentile, Report, runAsProgram } from './report.ts';

interface Size {
  readonly tries: number;
  /** By the command itself; what it sends is sent without it at the other tries. A start of the command takes longer than what it does. */
  readonly byCommandEvery: number;
  /** Streams, requests and watches of each sort, at each edge. */
  readonly held: number;
}

const LONG: Size = { tries: 100, byCommandEvery: 10, held: 8 };
const SHORT: Size = { tries: 3, byCommandEvery: 2, held: 3 };

const CUT_MS = 2000;
const SORTS = 4;

export async function revocations(isLong: boolean): Promise<Report> {
  const size = isLong ? LONG : SHORT;
  const report = new Report(`revocations: ${size.tries} × node deny, ${SORTS * size.held} open at each edge`);
  const fleet = await EnduranceFleet.start({ edges: 2, embedded: true });
  try {
    await run(fleet, size, report);
  } finally {
    await fleet.stop();
  }
  return report;
}

async function run(fleet: EnduranceFleet, { tries, byCommandEvery, held }: Size, report: Report): Promise<void> {
  const env = { CAUSEWAY_CONFIG: fleet.writeClientFile() };
  const [victim, bystander] = [await fleet.startHolder('at edge-1'), await fleet.startHolder('at edge-2')];
  await watchable(fleet);
  await bystander.ask('hold', { edge: 'edge-2', count: held });
  await bystander.ask('load', 'edge-2');
  const linksBefore = await linksOf(fleet, 'edge-2');
  const edgeKeys = await loadKeyStore(fleet.keysOf('edge/edge-1'));
  const operatorKeys = await loadKeyStore(fleet.keysOf('operator/tester'));
  const [cuts, linkCuts, commands, behindCommand]: [number[], number[], number[], number[]] = [[], [], [], []];
  let [unended, copiesLetIn, resumed, resumptions] = [0, 0, 0, 0];
  const refusals = new Set<string>();

  for (let attempt = 0; attempt < tries; attempt++) {
    await victim.ask('hold', { edge: 'edge-1', count: held });
    await victim.ask('load', 'edge-1');
    await victim.ask('ends');
    const links = linksLost(fleet);
    const byCommand = attempt % byCommandEvery === 0;
    const begin = Date.now();
    if (byCommand) await command(env, 'node', 'deny', 'edge-1', '--reason', 'try');
    else await fleet.setAdmission('edge-1', 'Denied');
    const written = Date.now();
    const deadline = written + 10_000;
    while ((await victim.ask('held')) > 0 && Date.now() < deadline) await pause(5);
    const ends = await victim.ask('ends');
    unended += SORTS * held - ends.length;
    const last = Math.max(...ends.map(({ at }) => at));
    if (byCommand) {
      commands.push(last - begin);
      behindCommand.push(Math.max(0, last - written));
      await links;
    } else {
      cuts.push(last - begin);
      linkCuts.push((await links) - begin);
    }
    await victim.ask('endLoad', 'edge-1');

    const copy = await refusalOf(fleet, edgeKeys);
    if (copy === '') copiesLetIn++;
    else refusals.add(copy);
    for (const [port, keys] of [[fleet.ports.link, edgeKeys] as const, [fleet.ports.api, operatorKeys] as const]) {
      resumptions++;
      if (await resumes(port, keys)) resumed++;
    }
    await fleet.setAdmission('edge-1', 'Allowed');
    // It keeps away for half a minute by itself, as it was told.
    await fleet.restartAgent('edge-1');
    await fleet.online('edge-1');
    await watchable(fleet);
  }

  const { calls, failures } = await bystander.ask('endLoad', 'edge-2');
  report.show('median, from the request to the last end', `${percentile(cuts, 0.5)} ms`);
  report.atMost('p99, from the request to the last end', percentile(cuts, 0.99), CUT_MS, 'ms', 'timing');
  report.atMost('p99, from the request to the agent’s last link', percentile(linkCuts, 0.99), CUT_MS, 'ms', 'timing');
  report.show('longest, from the command’s start to the last end', `${Math.max(...commands)} ms`);
  report.atMost('longest, from the command’s end to the last end', Math.max(...behindCommand), CUT_MS, 'ms', 'timing');
  report.equal('ends that did not come', unended, 0);
  report.equal('what ended at edge-2', (await bystander.ask('ends')).length, 0);
  report.equal('calls that failed at edge-2', failures.length, 0);
  for (const failure of new Set(failures)) report.show('  failure', failure);
  report.show('calls at edge-2', String(calls));
  report.equal('the links of edge-2 are the same', String((await linksOf(fleet, 'edge-2')) === linksBefore), 'true');
  report.equal('copies of a certificate that were let in', copiesLetIn, 0);
  report.equal('why not', [...refusals].join(', '), 'edge-denied');
  report.equal(`sessions resumed, of ${resumptions} tried`, resumed, 0);
  report.equal('processes that died', fleet.crashes.length, 0);
  for (const crash of fleet.crashes) report.show('  crash', crash);
}

async function command(env: Readonly<Record<string, string>>, ...args: string[]): Promise<void> {
  const { exitCode, stderr } = await causeway(args, { env });
  if (exitCode !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
}

/** The copies are whole: what is watched from memory is not asked of the edge instead. */
async function watchable(fleet: EnduranceFleet): Promise<void> {
  for (const edge of ['edge-1', 'edge-2']) {
    await waitFor(
      `the copy of ${edge}`,
      async () => {
        const path = `/edges/${edge}/kube/api/v1/namespaces?resourceVersion=0`;
        const { status, headers } = await fleet.ask(path, { headers: { 'cache-control': 'only-if-cached' } });
        return status === 200 && headers['age'] !== undefined;
      },
      { deadlineMs: 30_000, everyMs: 50 },
    );
  }
}

async function linksOf(fleet: EnduranceFleet, edge: string): Promise<string> {
  const { status } = await fleet.node(edge);
  const links = (status?.links ?? []).map(({ id, since }) => `${id} ${since}`);
  return links.toSorted().join();
}

/** When the agent of edge-1 had no link any more. */
async function linksLost(fleet: EnduranceFleet): Promise<number> {
  const { agent } = fleet.edge('edge-1');
  await waitFor('the links to go', async () => (await agent.ask('links')).length === 0, { deadlineMs: 60_000 });
  return Date.now();
}

/** The code that a link is refused with that shows these keys; empty: it is not. */
async function refusalOf({ ports }: EnduranceFleet, keys: KeyStore): Promise<string> {
  try {
    const wire = await dialLink(`127.0.0.1:${ports.link}`, clientTls(keys));
    wire.destroy();
    return '';
  } catch (error) {
    return codeOf(error);
  }
}

/** Whether a connection that shows the session of an earlier one skips a part of the handshake. */
async function resumes(port: number, keys: KeyStore): Promise<boolean> {
  const dial = (session?: Buffer): TLSSocket =>
    connect({ ...clientTls(keys), host: '127.0.0.1', port, ...(session === undefined ? {} : { session }) });
  const first = dial();
  let ticket: Buffer | undefined;
  first.on('session', (session: Buffer) => {
    ticket = session;
  });
  await once(first, 'secureConnect');
  // A ticket would come behind the handshake, with the first bytes of an answer.
  first.on('error', () => undefined).end('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  first.resume();
  await once(first, 'close');
  const second = dial(ticket ?? first.getSession());
  second.on('error', () => undefined);
  await once(second, 'secureConnect');
  const isReused = second.isSessionReused();
  second.destroy();
  return isReused;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.after(ms, resolve));
}

if (import.meta.main) await runAsProgram(revocations);
