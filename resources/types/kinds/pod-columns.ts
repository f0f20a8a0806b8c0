import { ageOf } from '../age.ts';
import type { PrinterColumn } from '../resource-type.ts';
import { ageColumn } from '../table-columns.ts';
import { column, wideColumn } from './built-in-type.ts';
import { conditionOf, countAt, has, listAt, orNone, textAt, type Fields } from './field-reading.ts';

/** The columns of Pods as kubectl shows them for Kubernetes 1.32. */
export const podColumns: readonly PrinterColumn[] = [
  column('Ready', 'Containers that are ready, of how many.', (pod) => {
    const { ready, total } = summaryOf(pod);
    return `${ready}/${total}`;
  }),
  column('Status', 'State of the Pod as its containers tell it.', (pod) => summaryOf(pod).status),
  column('Restarts', 'How often containers were restarted, and when last.', (pod, nowMs) => {
    const { restarts, lastRestart } = summaryOf(pod);
    return restarts === 0 || lastRestart === '' ? `${restarts}` : `${restarts} (${ageOf(lastRestart, nowMs)} ago)`;
  }),
  ageColumn,
  wideColumn('IP', 'First address of the Pod.', (pod) =>
    orNone(textAt(listAt(pod, 'status.podIPs')[0], 'ip') || textAt(pod, 'status.podIP')),
  ),
  wideColumn('Node', 'Node that it runs on.', (pod) => orNone(textAt(pod, 'spec.nodeName'))),
  wideColumn('Nominated Node', 'Node that is being cleared for it.', (pod) =>
    orNone(textAt(pod, 'status.nominatedNodeName')),
  ),
  wideColumn('Readiness Gates', 'Conditions of its own that hold, of how many.', (pod) => {
    const gates = listAt(pod, 'spec.readinessGates');
    const open = gates.filter((gate) => conditionOf(pod, textAt(gate, 'conditionType')) === 'True');
    return gates.length === 0 ? '<none>' : `${open.length}/${gates.length}`;
  }),
];

interface PodSummary {
  readonly ready: number;
  readonly total: number;
  readonly status: string;
  readonly restarts: number;
  /** RFC 3339; empty: not known. */
  readonly lastRestart: string;
}

/** Three columns of a row ask for the same Pod. */
const summaries = new WeakMap<Fields, PodSummary>();

function summaryOf(pod: Fields): PodSummary {
  let summary = summaries.get(pod);
  if (summary === undefined) {
    summary = summarise(pod);
    summaries.set(pod, summary);
  }
  return summary;
}

function summarise(pod: Fields): PodSummary {
  const sidecars = new Set(
    listAt(pod, 'spec.initContainers')
      .filter((container) => container['restartPolicy'] === 'Always')
      .map((container) => container['name']),
  );
  const init = summariseInit(pod, sidecars);
  const total = listAt(pod, 'spec.containers').length + sidecars.size;
  // A pod that was initialised once shows its containers, whatever an init container that runs again does.
  const isInitialised = init.problem === undefined || conditionOf(pod, 'Initialized') === 'True';
  const main = isInitialised ? summariseContainers(pod) : undefined;
  const counted = main === undefined ? [init.all] : [init.sidecars, main.restarts];
  return {
    ready: init.ready + (main?.ready ?? 0),
    total,
    status: statusOf(pod, main?.reason ?? init.problem ?? phaseOf(pod), main?.isRunning === true),
    restarts: counted.reduce((sum, { count }) => sum + count, 0),
    lastRestart: counted.map(({ last }) => last).reduce((a, b) => (a > b ? a : b), ''),
  };
}

/** What the Pod says of itself as long as no container says more. */
function phaseOf(pod: Fields): string {
  const isGated = listAt(pod, 'status.conditions').some(
    (condition) => condition['type'] === 'PodScheduled' && condition['reason'] === 'SchedulingGated',
  );
  return isGated ? 'SchedulingGated' : textAt(pod, 'status.reason') || textAt(pod, 'status.phase');
}

function statusOf(pod: Fields, reason: string, isRunning: boolean): string {
  const isDeleted = has(pod, 'metadata.deletionTimestamp');
  if (isDeleted && textAt(pod, 'status.reason') === 'NodeLost') return 'Unknown';
  if (isDeleted && !['Succeeded', 'Failed'].includes(textAt(pod, 'status.phase'))) return 'Terminating';
  if (reason !== 'Completed' || !isRunning) return reason;
  return conditionOf(pod, 'Ready') === 'True' ? 'Running' : 'NotReady';
}

interface Restarts {
  readonly count: number;
  readonly last: string;
}

function restartsOf(containers: readonly Fields[]): Restarts {
  const last = containers.map((container) => textAt(container, 'lastState.terminated.finishedAt'));
  return {
    count: containers.reduce((sum, container) => sum + countAt(container, 'restartCount'), 0),
    last: last.reduce((a, b) => (a > b ? a : b), ''),
  };
}

/** Init containers run one after the other: the first that is not through is what the Pod waits for. */
function summariseInit(pod: Fields, sidecars: ReadonlySet<unknown>) {
  const containers = listAt(pod, 'status.initContainerStatuses');
  let ready = 0;
  let problem: string | undefined;
  let seen = 0;
  for (const container of containers) {
    seen += 1;
    if (isDone(container)) continue;
    if (sidecars.has(container['name']) && container['started'] === true) {
      if (container['ready'] === true) ready += 1;
      continue;
    }
    problem = `Init:${initProblem(container) || `${seen - 1}/${listAt(pod, 'spec.initContainers').length}`}`;
    break;
  }
  const reached = containers.slice(0, seen);
  return {
    ready,
    problem,
    all: restartsOf(reached),
    sidecars: restartsOf(reached.filter((container) => sidecars.has(container['name']))),
  };
}

function isDone(container: Fields): boolean {
  return has(container, 'state.terminated') && countAt(container, 'state.terminated.exitCode') === 0;
}

function initProblem(container: Fields): string {
  if (has(container, 'state.terminated')) return endOf(container);
  const waiting = textAt(container, 'state.waiting.reason');
  return waiting === 'PodInitializing' ? '' : waiting;
}

function summariseContainers(pod: Fields) {
  const containers = listAt(pod, 'status.containerStatuses');
  let reason: string | undefined;
  let ready = 0;
  // From the last to the first: the first container has the last word.
  for (const container of [...containers].reverse()) {
    const waiting = textAt(container, 'state.waiting.reason');
    if (waiting !== '') reason = waiting;
    else if (has(container, 'state.terminated')) reason = endOf(container);
    else if (container['ready'] === true && has(container, 'state.running')) ready += 1;
  }
  return { reason, ready, isRunning: ready > 0, restarts: restartsOf(containers) };
}

/** How a container ended. */
function endOf(container: Fields): string {
  const reason = textAt(container, 'state.terminated.reason');
  const signal = countAt(container, 'state.terminated.signal');
  if (reason !== '') return reason;
  return signal === 0 ? `ExitCode:${countAt(container, 'state.terminated.exitCode')}` : `Signal:${signal}`;
}
