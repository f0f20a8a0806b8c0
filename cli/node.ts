import { withApi, clientOption } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { admitNode, deleteNode, getNode, listNodes, type ShownNode } from './edge-nodes.ts';
import { ago, outputOption, show, table } from './output.ts';
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
      run: (input) => admit(input, 'Allowed'),
    },
    {
      name: 'deny',
      summary: 'take edges off the whitelist: their links and streams are cut',
      arguments: ['<EDGE...>'],
      options: [clientOption, outputOption],
      examples: ['node deny edge-1'],
      run: (input) => admit(input, 'Denied'),
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

function admit(input: CommandInput, admission: 'Allowed' | 'Denied'): Promise<void> {
  return withApi(input, async (api) => {
    const nodes: ShownNode[] = [];
    for (const name of input.arguments) nodes.push(await admitNode(api, name, admission));
    const text = (): string =>
      nodes.map(({ metadata, spec }) => `${metadata.name} ${spec.admission.toLowerCase()}\n`).join('');
    show(input, { value: nodes.length === 1 ? nodes[0] : nodes, names: namesOf(nodes), text });
  });
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
