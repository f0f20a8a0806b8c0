import { createHash } from 'node:crypto';
import { CodedError, messageOf } from '../base/index.ts';
import { cliError } from './cli-error.ts';
import { clientConfig, clientOption, withApi } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { admitNode, deleteNode, getNode, listNodes, reasonAnnotation, type ShownNode } from './edge-nodes.ts';
import { tellReplicas, type EmergencyResult } from './emergency.ts';
import { ago, outputOption, show, table } from './output.ts';
import { listRevocations, revoke, revokedBy, type ShownRevocation } from './revocations.ts';
import { print } from './terminal.ts';

export const nodeCommand: CommandSpec = {
  name: 'node',
  summary: 'list edges, and say who may register',
  commands: [
    {
      name: 'ls',
      summary: 'list the edges',
      options: [clientOption, outputOption],
      examples: ['node ls', 'node ls --output json'],
      run: list,
    },
    {
      name: 'show',
      summary: 'show an edge with its links and services',
      arguments: ['<EDGE>'],
      options: [clientOption, outputOption],
      examples: ['node show edge-1'],
      run: showOne,
    },
    {
      name: 'allow',
      summary: 'put edges on the whitelist, also ones that are not known yet',
      arguments: ['<EDGE...>'],
      options: [clientOption, outputOption],
      examples: ['node allow edge-1 edge-2'],
      run: allow,
    },
    {
      name: 'deny',
      summary: 'take edges off the whitelist: their links and streams are cut',
      arguments: ['<EDGE...>'],
      options: [
        { flags: '--reason TEXT', help: 'why, for whoever looks at it later' },
        { flags: '--emergency', help: 'tell every replica itself, also when the store does not answer' },
        { flags: '--lift', help: 'with --emergency: take that back; the whitelist stays as it is' },
        clientOption,
        outputOption,
      ],
      notes:
        'An emergency denial is each replica’s own, survives its restart, and goes before the whitelist; `node allow` lifts it too. It says which replicas have it, and exits with 5 when one does not answer.',
      examples: [
        'node deny edge-1 --reason "stolen"',
        'node deny --emergency edge-1',
        'node deny --emergency --lift edge-1',
      ],
      run: (input) => (input.flag('emergency') ? denyAtOnce(input) : deny(input)),
    },
    {
      name: 'ban',
      summary:
        'take edges off the whitelist for good, with their keys: no rename, no copy of a certificate brings them back',
      arguments: ['<EDGE...>'],
      options: [{ flags: '--reason TEXT', help: 'why, for whoever looks at it later' }, clientOption, outputOption],
      notes: '`revocation ls` shows what was revoked; `revocation rm` and `node allow` take it back.',
      examples: ['node ban edge-1 --reason "machine was stolen"'],
      run: ban,
    },
    {
      name: 'rm',
      summary: 'forget edges: their links and streams are cut',
      arguments: ['<EDGE...>'],
      options: [clientOption],
      examples: ['node rm edge-1'],
      run: remove,
    },
  ],
};

function list(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => showNodes(input, await listNodes(api)));
}

function showOne(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    const node = await getNode(api, input.argument(0));
    show(input, { value: node, names: [node.metadata.name], text: () => details(node) });
  });
}

async function allow(input: CommandInput): Promise<void> {
  await withApi(input, async (api) => {
    const nodes: ShownNode[] = [];
    for (const name of input.arguments) nodes.push(await admitNode(api, name, 'Allowed'));
    showAdmissions(input, nodes);
    const banned = (await listRevocations(api)).filter(({ spec }) => {
      const edge = spec.edge ?? spec.principal?.replace(/^edge\//u, '');
      return edge !== undefined && input.arguments.includes(edge);
    });
    for (const revocation of banned) warnOfBan(revocation);
  });
  const config = await clientConfig(input);
  for (const edge of input.arguments) {
    for (const result of await tellReplicas(config, { edge, lift: true, reason: '' })) {
      if ('answer' in result && result.answer.changed)
        print(`${edge} emergency denial lifted at ${result.answer.replica}\n`);
      else if ('failure' in result && result.code !== 'not-found' && result.code !== 'access-denied')
        warn(`${result.api}: ${result.failure}; where it has an emergency denial of ${edge}, that stays`);
    }
  }
}

function deny(input: CommandInput): Promise<void> {
  if (input.flag('lift'))
    throw cliError('usage', '--lift goes with --emergency; `node allow` puts an edge on the whitelist');
  return withApi(input, async (api) => {
    const nodes: ShownNode[] = [];
    for (const name of input.arguments) nodes.push(await admitNode(api, name, 'Denied', input.text('reason')));
    showAdmissions(input, nodes);
  });
}

/** First every replica by itself, which needs nobody else; then the whitelist, for replicas that come later. */
async function denyAtOnce(input: CommandInput): Promise<void> {
  const config = await clientConfig(input);
  const lift = input.flag('lift');
  const reason = input.text('reason') ?? '';
  const done: { edge: string; replicas: readonly EmergencyResult[]; whitelist: string }[] = [];
  for (const edge of input.arguments) {
    const replicas = await tellReplicas(config, { edge, lift, reason });
    done.push({ edge, replicas, whitelist: lift ? 'unchanged' : await denyInStore(input, edge) });
  }
  show(input, {
    value: done.length === 1 ? done[0] : done,
    names: done.map(({ edge }) => edge),
    text: () => done.map(emergencyText).join(''),
  });
  const failed = done.flatMap(({ replicas }) => replicas.filter((result) => 'failure' in result));
  const [first] = failed;
  if (first !== undefined)
    throw cliError(
      'replicas-missing',
      `${failed.length} of ${done.flatMap(({ replicas }) => replicas).length}: ${first.api}: ${first.failure}`,
    );
}

/** How it went, in words: without a store it cannot be written, and that is no reason to fail. */
async function denyInStore(input: CommandInput, edge: string): Promise<string> {
  try {
    await withApi(input, (api) => admitNode(api, edge, 'Denied', input.text('reason')));
    return 'denied';
  } catch (error) {
    return `not written: ${messageOf(error)}; \`causeway node deny ${edge}\` when the store answers`;
  }
}

function emergencyText({
  edge,
  replicas,
  whitelist,
}: {
  readonly edge: string;
  readonly replicas: readonly EmergencyResult[];
  readonly whitelist: string;
}): string {
  const lines = replicas.map((result) => {
    if ('failure' in result) return `${edge}  ${result.api}  NOT REACHED: ${result.failure}`;
    const { replica, denied, kept, changed } = result.answer;
    const state = denied ? 'denied' : changed ? 'lifted' : 'was not denied';
    return `${edge}  ${replica}  ${state}${kept ? '' : ' (until it restarts: its file could not be written)'}`;
  });
  return [...lines, `${edge}  whitelist  ${whitelist}`].map((line) => `${line}\n`).join('');
}

function ban(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    const reason = input.text('reason');
    const revoked: ShownRevocation[] = [];
    for (const edge of input.arguments) {
      // By name first: that alone keeps it out, whichever of its keys it shows.
      revoked.push(await revoke(api, `banned-${edge}`, { edge }, reason));
      const node = await admitNode(api, edge, 'Denied', reason).catch((error: unknown) => {
        if (error instanceof CodedError && error.status === 404) return undefined;
        throw error;
      });
      const pins = new Set([node?.status.certificate?.keyPin, node?.spec.keyPin].filter((pin) => pin !== undefined));
      for (const keyPin of pins)
        revoked.push(await revoke(api, `banned-${edge}-${pinName(keyPin)}`, { keyPin }, reason));
      if (pins.size === 0)
        warn(`no key of ${edge} is known: a certificate with its key under another name is not banned`);
    }
    show(input, {
      value: revoked.length === 1 ? revoked[0] : revoked,
      names: revoked.map(({ metadata }) => metadata.name),
      text: () => revoked.map((one) => `${revokedBy(one)} revoked\n`).join(''),
    });
  });
}

function showAdmissions(input: CommandInput, nodes: readonly ShownNode[]): void {
  const text = (): string =>
    nodes.map(({ metadata, spec }) => `${metadata.name} ${spec.admission.toLowerCase()}\n`).join('');
  show(input, { value: nodes.length === 1 ? nodes[0] : nodes, names: namesOf(nodes), text });
}

function warnOfBan(revocation: ShownRevocation): void {
  const { name } = revocation.metadata;
  warn(`${revokedBy(revocation)} is still revoked; \`causeway revocation rm ${name}\` lifts that`);
}

function warn(text: string): void {
  process.stderr.write(`causeway: ${text}\n`);
}

/** Part of an object's name: names take no capitals, and a pin has some. */
function pinName(keyPin: string): string {
  return createHash('sha256').update(keyPin).digest('hex').slice(0, 12);
}

function remove(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    for (const name of input.arguments) {
      await deleteNode(api, name);
      print(`${name} removed\n`);
    }
  });
}

function showNodes(input: CommandInput, nodes: readonly ShownNode[]): void {
  const head = ['NAME', 'ADMISSION', 'ONLINE', 'LINKS', 'RTT', 'SERVICES', 'VERSION', 'LAST CONTACT'];
  show(input, {
    value: { apiVersion: 'causeway.io/v1', kind: 'EdgeNodeList', items: nodes },
    names: namesOf(nodes),
    text: () =>
      nodes.length === 0
        ? 'No edges yet. `causeway node allow EDGE` lets one register.\n'
        : table(head, nodes.map(row)),
  });
}

function row({ metadata, spec, status }: ShownNode): string[] {
  const active = status.links.find((link) => link.active);
  return [
    metadata.name,
    spec.admission,
    status.online ? 'yes' : 'no',
    String(status.links.length),
    rtt(active?.rttMs),
    status.services.map(({ name }) => name).join(',') || '-',
    status.agentVersion ?? '-',
    status.online ? 'now' : ago(status.lastContact ?? undefined),
  ];
}

function details({ metadata, spec, status }: ShownNode): string {
  const lines: [string, string][] = [
    ['Name', metadata.name],
    ['Admission', spec.admission],
    ['Online', status.online ? 'yes' : 'no'],
    ['Agent', `${status.agentVersion ?? '-'}, instance ${status.instance ?? '-'}, epoch ${status.epoch ?? '-'}`],
    ['Last contact', lastContact(status)],
    ['Created', metadata.creationTimestamp ?? '-'],
  ];
  const denied = metadata.annotations?.[reasonAnnotation];
  if (denied !== undefined) lines.push(['Reason', denied]);
  if (status.reason != null) lines.push(['Reason', status.reason]);
  const links = status.links.map((link) => [
    link.id,
    link.replica,
    link.active ? 'active' : 'ready',
    rtt(link.rttMs),
    ago(link.since ?? undefined),
    link.remote ?? '-',
  ]);
  const services = status.services.map(({ name, kind }) => [name, kind]);
  return [
    lines.map(([name, value]) => `${`${name}:`.padEnd(14)}${value}\n`).join(''),
    links.length === 0 ? 'No links.\n' : table(['LINK', 'REPLICA', 'STATE', 'RTT', 'AGE', 'REMOTE'], links),
    services.length === 0 ? 'No services.\n' : table(['SERVICE', 'KIND'], services),
  ].join('\n');
}

/** While there is a link the time in the status is only refreshed now and then. */
function lastContact({ online, lastContact: time }: ShownNode['status']): string {
  if (online) return 'now';
  return time == null ? 'never' : `${ago(time)} ago, ${time}`;
}

function rtt(ms: number | null | undefined): string {
  if (ms == null) return '-';
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function namesOf(nodes: readonly ShownNode[]): string[] {
  return nodes.map(({ metadata }) => metadata.name);
}
