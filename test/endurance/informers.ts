/**
 * What Kubernetes' own clients may rely on: informers of `@kubernetes/client-node` at the fleet's API, at the view of all edges and
 * at one edge, from memory and live, while programs at the edges write, links are lost, histories are lost, and the replica dies.
 *
 *     node test/endurance/informers.ts [--long]
 */
import { isDeepStrictEqual } from 'node:util';
import { apiVersion, edgeNodePath, edgeNodesPath } from '../../api/index.ts';
import type { Api } from '../../sdk/index.ts';
import type { InformedObject, InformerPlace } from '../support/kube-informer.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Child } from './child.ts';
import { BEFORE, COMMIT, type Commit, type Leap } from './commits.ts';
import { EnduranceFleet } from './endurance-fleet.ts';
import { Report, runAsProgram } from './report.ts';
import type { InformersRole } from './roles/informers.ts';
import { WeakLinkChild } from './weak-link-child.ts';

interface Size {
  /** Of each edge. */
  readonly commits: number;
  readonly perSecond: number;
  readonly objects: number;
  readonly fleetPerSecond: number;
  readonly losses: number;
  /** Histories that are lost: those of edges, and of the replica. */
  readonly edgeCompactions: number;
  readonly restarts: number;
  /** A process with informers stands still for most of the time. */
  readonly sleeps: boolean;
}

const LONG: Size = {
  commits: 50_000,
  perSecond: 300,
  objects: 200,
  fleetPerSecond: 30,
  losses: 50,
  edgeCompactions: 3,
  restarts: 2,
  sleeps: true,
};
const SHORT: Size = {
  commits: 2500,
  perSecond: 200,
  objects: 50,
  fleetPerSecond: 20,
  losses: 5,
  edgeCompactions: 1,
  restarts: 0,
  sleeps: false,
};

const EDGES = ['edge-1', 'edge-2'];
const SITES = 10;
const SETTLE_MS = 60_000;
/** What an agent's list anew takes, at most. */
const LEAP_SECONDS = 2;

export async function informers(isLong: boolean): Promise<Report> {
  const size = isLong ? LONG : SHORT;
  const report = new Report(
    `informers: ${EDGES.length} × ${size.commits} commits, ${size.losses} link losses, ${size.edgeCompactions + size.restarts} compactions`,
  );
  const fleet = await EnduranceFleet.start({ edges: EDGES.length, kube: true, weak: { delayMs: 2 } });
  let road: WeakLinkChild | undefined;
  try {
    // The informers' own connections are lost at times as well.
    road = await WeakLinkChild.start({ target: { port: fleet.ports.api } });
    await run(fleet, road, size, report);
  } finally {
    await fleet.stop();
    await road?.stop();
  }
  return report;
}

async function run(fleet: EnduranceFleet, road: WeakLinkChild, size: Size, report: Report): Promise<void> {
  const server = `https://127.0.0.1:${road.port}`;
  const tls = fleet.tlsFiles;
  const edge1 = { server: `${server}/edges/edge-1/kube`, tls, resource: 'configmaps' } as const;
  const places: Readonly<Record<string, InformerPlace>> = {
    'fleet': { server, tls, resource: 'edgenodes', reads: 'default' },
    'all': { server: `${server}/fleet/kube`, tls, resource: 'configmaps', reads: 'default' },
    'edge-1': { ...edge1, reads: 'default' },
    'edge-1 cached': { ...edge1, reads: 'any' },
    'edge-1 live': { ...edge1, reads: 'live' },
  };
  const writers = {
    'fleet': 'fleet',
    'edge-1': 'edge-1',
    'edge-1 cached': 'edge-1',
    'edge-1 live': 'edge-1',
  };
  const sites = new SiteWriter(await fleet.api(), size.fleetPerSecond);
  await sites.create();
  const parties = new Map<string, Child<InformersRole>>();
  parties.set('', await fleet.startInformers('informers', { places, writers }));
  if (size.sleeps) parties.set(' (slept)', await fleet.startInformers('sleeping informers', { places, writers }));
  for (const party of parties.values()) await party.ask('start');

  const begin = Date.now();
  for (const edge of EDGES) await kubeOf(fleet, edge).ask('write', size);
  sites.start();
  const faults = await strikeAll(fleet, road, size, parties.get(' (slept)'));
  await waitFor(
    'the writers',
    async () => {
      for (const edge of EDGES) if ((await kubeOf(fleet, edge).ask('written')).isWriting) return false;
      return true;
    },
    { deadlineMs: 600_000, everyMs: 200 },
  );
  await sites.stop();
  const seconds = (Date.now() - begin) / 1000;

  const logs: Record<string, readonly Commit[]> = { fleet: sites.log };
  for (const edge of EDGES) logs[edge] = await kubeOf(fleet, edge).ask('commits');
  // The view of all edges goes on when one edge has to be listed anew, with what differs: a 410 for the fleet would be too much.
  const leaps = { all: Object.fromEntries(EDGES.map((edge) => [edge, leapsOf(faults, edge, size)])) };
  report.show('time', `${seconds.toFixed(0)} s`);
  report.equal('link losses', faults.losses, size.losses);
  report.equal('compactions', faults.compactions, size.edgeCompactions + size.restarts);
  report.equal(
    'commits at the edges',
    EDGES.reduce((sum, edge) => sum + (logs[edge]?.length ?? 0), 0),
    2 * size.commits,
  );
  report.show('commits to the fleet', String(sites.log.length));
  for (const [suffix, party] of parties) {
    for (const name of Object.keys(places)) {
      const isEqual = await settles(party, name, () => expectedAt(fleet, name));
      report.equal(`${name}${suffix}: cache deep-equals the truth`, String(isEqual), 'true');
    }
    const verdicts = await party.ask('verdicts', { logs, leaps });
    for (const [name, verdict] of Object.entries(verdicts)) {
      const { events, lists, relists, watches, errors, examples, leapt } = verdict;
      report.show(
        `${name}${suffix}`,
        `${events} events, ${watches} watches, ${lists} lists, ${relists} of them after 410, ${errors.length} errors, ${leapt} leapt over`,
      );
      for (const fault of ['lost', 'doubled', 'disordered', 'unknown'] as const)
        report.equal(`${name}${suffix}: ${fault}`, verdict[fault], 0);
      for (const example of examples.slice(0, 5)) report.show('  for example', example);
      for (const error of new Set(errors)) report.show('  error', error);
    }
  }
  report.equal('processes that died', fleet.crashes.length, 0);
  for (const crash of fleet.crashes) report.show('  crash', crash);
}

interface Faults {
  losses: number;
  compactions: number;
  /** By edges, when their histories were lost. */
  readonly compactedAt: Record<string, number[]>;
}

/** All faults, spread over the work of the writers. */
async function strikeAll(
  fleet: EnduranceFleet,
  road: WeakLinkChild,
  size: Size,
  sleeper: Child<InformersRole> | undefined,
): Promise<Faults> {
  const done: Faults = { losses: 0, compactions: 0, compactedAt: {} };
  const steps: (() => Promise<void>)[] = Array.from({ length: size.losses }, (_, index) => async () => {
    await loseLinks(fleet, index);
    done.losses++;
    if (index % 5 === 2) await road.tell({ command: 'cutAll' });
  });
  const compactions = [
    ...Array.from({ length: size.edgeCompactions }, (_, index) => async () => {
      const edge = EDGES[index % EDGES.length] ?? '';
      (done.compactedAt[edge] ??= []).push(await kubeOf(fleet, edge).ask('compact'));
      done.compactions++;
    }),
    ...Array.from({ length: size.restarts }, () => async () => {
      await fleet.restartReplica();
      done.compactions++;
    }),
  ];
  for (const [index, compaction] of compactions.entries())
    steps.splice(Math.floor(((index + 0.5) * steps.length) / compactions.length), 0, compaction);
  for (const [index, step] of steps.entries()) {
    const share = (index + 0.5) / (steps.length + 1);
    await waitFor(
      'the writers to go on',
      async () => (await kubeOf(fleet, 'edge-1').ask('written')).commits >= share * size.commits,
      { deadlineMs: 120_000, everyMs: 20 },
    );
    if (index === Math.floor(steps.length * 0.2)) sleeper?.signal('SIGSTOP');
    if (index === Math.floor(steps.length * 0.8)) sleeper?.signal('SIGCONT');
    await step();
  }
  sleeper?.signal('SIGCONT');
  return done;
}

function leapsOf({ compactedAt }: Faults, edge: string, { perSecond }: Size): readonly Leap[] {
  return (compactedAt[edge] ?? []).map((at) => [at - perSecond * LEAP_SECONDS, at + perSecond * LEAP_SECONDS]);
}

/** Cut and back at once, away for a while, or gone without a word; of one edge, or of both. */
async function loseLinks(fleet: EnduranceFleet, index: number): Promise<void> {
  const edges = EDGES.slice(0, (index % 2) + 1);
  const links = edges.flatMap((edge) => fleet.edge(edge).weak);
  for (const edge of edges) await fleet.weakLinks(edge);
  const tell = (command: Parameters<WeakLinkChild['tell']>[0]['command']) =>
    Promise.all(links.map((link) => link.tell({ command } as Parameters<WeakLinkChild['tell']>[0])));
  switch (index % 3) {
    case 0:
      await tell('cutAll');
      return;
    case 1:
      await tell('refuse');
      await tell('cutAll');
      await pause(700);
      await tell('admit');
      return;
    default:
      await tell('blackHole');
      await pause(700);
      await tell('restore');
      await tell('cutAll');
  }
}

/** Writes to the fleet's own API, as an operator does, one commit after the other. */
class SiteWriter {
  readonly log: Commit[] = [];
  readonly #api: Api;
  readonly #perSecond: number;
  readonly #before = new Map<string, number>();
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(api: Api, perSecond: number) {
    this.#api = api;
    this.#perSecond = perSecond;
  }

  async create(): Promise<void> {
    for (let index = 0; index < SITES; index++) {
      const metadata = { name: `site-${index}` };
      await this.#api.json('POST', edgeNodesPath, {
        apiVersion,
        kind: 'EdgeNode',
        metadata,
        spec: { admission: 'Denied' },
      });
    }
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#commit(`site-${Math.floor(Math.random() * SITES)}`);
      await pause(1000 / this.#perSecond);
    }
  }

  /** An answer that was lost leaves open whether it was done: it is asked, and done again. */
  async #commit(name: string): Promise<void> {
    const number = this.log.length + 1;
    const before = this.#before.get(name) ?? 0;
    const annotations = { [COMMIT]: String(number), [BEFORE]: String(before) };
    await waitFor(
      `commit ${number}`,
      async () => {
        const node = (await this.#api.json('GET', edgeNodePath(name))) as InformedObject;
        if (node.metadata?.annotations?.[COMMIT] !== String(number))
          await this.#api.json('PATCH', edgeNodePath(name), { metadata: { annotations } });
        return true;
      },
      { deadlineMs: 60_000, everyMs: 50 },
    );
    this.log.push({ name, isDelete: false, before });
    this.#before.set(name, number);
  }
}

/** An object, as far as it is looked at here. */
interface Shown {
  readonly metadata?: {
    readonly namespace?: string;
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
  };
}

/** By namespace and name, what an informer should hold. */
async function expectedAt(fleet: EnduranceFleet, place: string): Promise<ReadonlyMap<string, unknown>> {
  if (place === 'fleet') {
    const { items } = (await (await fleet.api()).json('GET', edgeNodesPath)) as { readonly items: InformedObject[] };
    return byKey(items);
  }
  const ofEdge = async (edge: string): Promise<readonly Shown[]> => await kubeOf(fleet, edge).ask('objects');
  if (place !== 'all') return byKey(await ofEdge('edge-1'));
  const all: Shown[] = [];
  for (const edge of EDGES) {
    for (const object of await ofEdge(edge)) {
      const { name, labels, annotations, ...metadata } = object.metadata ?? {};
      all.push({
        ...object,
        metadata: {
          ...metadata,
          name: `${edge}.${name}`,
          labels: { ...labels, 'causeway.io/edge': edge },
          annotations: { ...annotations, 'causeway.io/name': name ?? '' },
        },
      });
    }
  }
  return byKey(withoutVersions(all));
}

/** Whether an informer comes to hold what it should. */
async function settles(
  party: Child<InformersRole>,
  name: string,
  expected: () => Promise<ReadonlyMap<string, unknown>>,
): Promise<boolean> {
  const look = async (): Promise<boolean> => {
    const held = await party.ask('objects', name);
    return isDeepStrictEqual(byKey(name === 'all' ? withoutVersions(held) : held), await expected());
  };
  return await waitFor(`${name} to be equal`, look, { deadlineMs: SETTLE_MS, everyMs: 250 }).catch(() => false);
}

/** As JSON has it; the client makes dates of what it lists, and leaves out of the items what kind they are. */
function byKey(objects: readonly Shown[]): ReadonlyMap<string, unknown> {
  return new Map(
    objects
      .map((object): [string, unknown] => [
        `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`,
        JSON.parse(JSON.stringify({ ...object, apiVersion: undefined, kind: undefined }), withoutMilliseconds),
      ])
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

function withoutMilliseconds(key: string, value: unknown): unknown {
  return key === 'creationTimestamp' && typeof value === 'string' ? value.replace('.000Z', 'Z') : value;
}

/** The fleet's view has versions of its own. */
function withoutVersions(objects: readonly Shown[]): readonly Shown[] {
  return objects.map((object) => {
    const { resourceVersion: _, ...metadata } = object.metadata ?? {};
    return { ...object, metadata };
  });
}

function kubeOf(fleet: EnduranceFleet, edge: string) {
  const { kube } = fleet.edge(edge);
  if (kube === undefined) throw new Error(`${edge} has no Kubernetes API`);
  return kube;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

if (import.meta.main) await runAsProgram(informers);
