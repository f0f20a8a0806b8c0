import type { AuditRecord } from '../api/index.ts';
import { Backoff, CodedError, messageOf, systemClock } from '../base/index.ts';
import { loadKeyStore } from '../certs/index.ts';
import { Api, readAudit, type AuditSelection } from '../sdk/index.ts';
import { AuditPrinter } from './audit-printer.ts';
import { cliError } from './cli-error.ts';
import { clientConfig, clientOption } from './client.ts';
import type { CommandInput, CommandSpec, OptionSpec } from './command-line.ts';
import { print } from './terminal.ts';

const selectOptions: readonly OptionSpec[] = [
  { flags: '-e, --edge EDGE', help: 'about this edge' },
  { flags: '--principal NAME', help: "by this principal: operator/alice, or a beginning: 'component/*'" },
];

const timeOptions: readonly OptionSpec[] = [
  { flags: '--since TIME', help: 'from then on: 15m, 1h, 7d ago, or 2030-01-31T12:00:00Z' },
  { flags: '--until TIME', help: 'before then' },
  { flags: '--limit N', help: 'the newest so many of each replica; 0: all', default: '1000' },
  { flags: '-f, --follow', help: 'go on with what comes' },
  {
    flags: '-o, --output FORMAT',
    help: 'how to show it; json is an event a line',
    choices: ['table', 'json'],
    default: 'table',
  },
];

export const auditCommand: CommandSpec = {
  name: 'audit',
  summary: 'show who was allowed, refused and did what, at all replicas',
  options: [
    clientOption,
    ...selectOptions,
    { flags: '--action NAME', help: 'link, enrol, renew, connect, create, delete ...', many: true },
    { flags: '--outcome NAME', help: 'allowed, refused, done or failed', many: true },
    ...timeOptions,
  ],
  notes:
    'Each replica keeps a log of its own; what they tell is put in the order of time. Replicas that do not answer are named on stderr.',
  examples: [
    'audit --since 1h',
    'audit --outcome refused --follow',
    'audit --edge edge-1 --principal operator/alice --action connect -o json',
  ],
  run: (input) => showAudit(input, { actions: input.list('action'), outcomes: input.list('outcome') }),
};

/** What matters of the audit to whoever runs the fleet. */
const eventActions = [
  'link',
  'link-cut',
  'instance-conflict',
  'token',
  'enrol',
  'renew',
  'emergency-deny',
  'emergency-lift',
  'audit',
  'other',
];

export const eventsCommand: CommandSpec = {
  name: 'events',
  summary: 'show which edges and clients came, were refused, or were cut off',
  options: [clientOption, ...selectOptions, ...timeOptions],
  notes: `These events of the audit: ${eventActions.join(', ')}.`,
  examples: ['events --since 1h', 'events --edge edge-1 --follow'],
  run: (input) => showAudit(input, { actions: eventActions }),
};

interface Replica {
  readonly url: string;
  readonly api: Api;
}

async function showAudit(input: CommandInput, wanted: AuditSelection): Promise<void> {
  const selection = { ...wanted, ...selectionOf(input) };
  const config = await clientConfig(input);
  const keys = await loadKeyStore(config.keys, config.keyPassword);
  // Each replica is asked for itself.
  const replicas = config.replicas.map(({ api }): Replica => ({ url: api, api: new Api([api], keys) }));
  const printer = new AuditPrinter({ json: input.text('output') === 'json', write: print });
  try {
    if (selection.follow) await followAll(replicas, selection, printer);
    else printer.print(await readAll(replicas, selection));
  } finally {
    for (const { api } of replicas) await api.close();
  }
}

function selectionOf(input: CommandInput) {
  const follow = input.flag('follow');
  if (follow && input.text('until') !== undefined) throw cliError('usage', '--follow and --until exclude each other');
  return {
    edge: input.text('edge'),
    principal: input.text('principal'),
    since: input.text('since'),
    until: input.text('until'),
    limit: input.integer('limit', 0, 10_000),
    follow,
  };
}

async function readAll(replicas: readonly Replica[], selection: AuditSelection): Promise<AuditRecord[]> {
  const told = await Promise.allSettled(
    replicas.map(async ({ api }) => {
      const records: AuditRecord[] = [];
      for await (const record of readAudit(api, selection)) if (record !== 'caught-up') records.push(record);
      return records;
    }),
  );
  tellFailures(replicas, told);
  return told.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
}

/** Throws when no replica told anything, or when what was asked is wrong at all of them. */
function tellFailures(replicas: readonly Replica[], told: readonly PromiseSettledResult<unknown>[]): void {
  const failures = told.flatMap((each, index) =>
    each.status === 'rejected' ? [{ url: replicas[index]?.url ?? '', error: each.reason as unknown }] : [],
  );
  const [first] = failures;
  if (first !== undefined && failures.length === told.length) throw first.error;
  for (const { url, error } of failures) process.stderr.write(`causeway: ${url}: ${messageOf(error)}\n`);
}

/** What was there is told once all replicas have told it, in the order of time; then what comes, as it comes. */
async function followAll(
  replicas: readonly Replica[],
  selection: AuditSelection,
  printer: AuditPrinter,
): Promise<void> {
  const early: AuditRecord[] = [];
  let isEarly = true;
  const take = (record: AuditRecord): void => {
    if (isEarly) early.push(record);
    else printer.print([record]);
  };
  const ready = replicas.map(() => Promise.withResolvers<void>());
  const ends = replicas.map((replica, index) => {
    const { resolve, reject } = ready[index] ?? Promise.withResolvers<void>();
    return followOne(replica, selection, take, (error) => (error === undefined ? resolve() : reject(error)));
  });
  // Whoever fails for good ends the command, as soon as it is known that it fails for good.
  const over = Promise.all(ends);
  over.catch(() => undefined);
  tellFailures(replicas, await Promise.allSettled(ready.map(({ promise }) => promise)));
  isEarly = false;
  printer.print(early);
  await over;
}

/** What no repetition helps against. */
const FINAL = new Set([400, 401, 403, 404, 405]);

/** Follows one replica over restarts of it. `onReady` is told when what was there has come, or why it has not. */
async function followOne(
  { url, api }: Replica,
  selection: AuditSelection,
  take: (record: AuditRecord) => void,
  onReady: (error?: Error) => void,
): Promise<void> {
  const backoff = new Backoff({ maxMs: 15_000 });
  const told = new LatestRecords();
  for (;;) {
    const began = systemClock.now();
    try {
      const again = told.time === undefined ? selection : { ...selection, since: told.time, limit: 0 };
      for await (const record of readAudit(api, again)) {
        if (record === 'caught-up') onReady();
        else if (told.isNew(record)) take(record);
      }
      process.stderr.write(`causeway: ${url}: the replica ended; trying again\n`);
    } catch (error) {
      onReady(error instanceof Error ? error : new Error(String(error)));
      if (error instanceof CodedError && FINAL.has(error.status)) throw error;
      process.stderr.write(`causeway: ${url}: ${messageOf(error)}; trying again\n`);
    }
    backoff.lasted(systemClock.now() - began);
    await new Promise((resolve) => setTimeout(resolve, backoff.next()));
  }
}

/** The records of the last moment that was told: those that come again at a reconnection. */
class LatestRecords {
  time: string | undefined;
  #texts = new Set<string>();

  isNew(record: AuditRecord): boolean {
    const text = JSON.stringify(record);
    if (this.time === record.time && this.#texts.has(text)) return false;
    if (this.time !== record.time) this.#texts = new Set();
    this.time = record.time;
    this.#texts.add(text);
    return true;
  }
}
