import { ageOf } from '../age.ts';
import type { ResourceType } from '../resource-type.ts';
import {
  boolean,
  conditions,
  integer,
  list,
  listByKey,
  map,
  object,
  openObject,
  quantity,
  string,
  time,
} from '../schema-parts.ts';
import { ageColumn } from '../table-columns.ts';
import { builtInType, column, countColumn, wideColumn } from './built-in-type.ts';
import { conditionOf, countAt, fieldsAt, listAt, orNone, textAt, valueAt, type Fields } from './field-reading.ts';
import { podType } from './pod.ts';

const resources = (description: string) => map(description, quantity('How much of it.'));

const namespaceType = builtInType({
  version: 'v1',
  resource: 'namespaces',
  kind: 'Namespace',
  shortNames: ['ns'],
  namespaced: false,
  hasStatus: true,
  description: 'A space of names: objects in different ones may have the same name.',
  fields: {
    spec: object('What is wished.', {
      finalizers: list('Who has to empty it before it goes.', string('Name of a finalizer.')),
    }),
    status: object('What is.', {
      phase: string('Active, or Terminating while it is being emptied.'),
      conditions: conditions('What keeps it from going.'),
    }),
  },
  columns: [column('Status', 'Whether it is in use.', '.status.phase'), ageColumn],
  selectableFields: ['status.phase'],
});

const configMapType = builtInType({
  version: 'v1',
  resource: 'configmaps',
  kind: 'ConfigMap',
  shortNames: ['cm'],
  namespaced: true,
  description: 'Configuration that programs read.',
  fields: {
    data: map('Texts by key.', string('A text.')),
    binaryData: map('Bytes by key, in base64.', string('Bytes in base64.', { format: 'byte' })),
    immutable: boolean('Whether the data may not change any more.', { nullable: true }),
  },
  columns: [
    countColumn('Data', 'How many keys there are.', (config) => sizeOf(config, 'data') + sizeOf(config, 'binaryData')),
    ageColumn,
  ],
});

const secretType = builtInType({
  version: 'v1',
  resource: 'secrets',
  kind: 'Secret',
  namespaced: true,
  description: 'What few may read: passwords, keys, tokens.',
  fields: {
    type: string('What the data is for: Opaque, kubernetes.io/tls and others.', { default: 'Opaque' }),
    data: map('Bytes by key, in base64.', string('Bytes in base64.', { format: 'byte', nullable: true })),
    stringData: map('Texts by key; they are put into data when they are written.', string('A text.')),
    immutable: boolean('Whether the data may not change any more.', { nullable: true }),
  },
  columns: [
    column('Type', 'What the data is for.', '.type'),
    countColumn('Data', 'How many keys there are.', (secret) => sizeOf(secret, 'data')),
    ageColumn,
  ],
  selectableFields: ['type'],
});

const objectReference = {
  apiVersion: string('Group and version of the object.'),
  kind: string('Kind of the object.'),
  namespace: string('Namespace of the object.'),
  name: string('Name of the object.'),
  uid: string('Identity of the object.'),
  resourceVersion: string('Version of the object.'),
  fieldPath: string('The part of the object that is meant.'),
};

const eventType = builtInType({
  version: 'v1',
  resource: 'events',
  kind: 'Event',
  shortNames: ['ev'],
  namespaced: true,
  description: 'Something that happened to an object.',
  fields: {
    involvedObject: object('The object that it happened to.', objectReference),
    related: object('Another object that took part.', objectReference),
    reason: string('What happened, one word, for programs.'),
    message: string('What happened, for people.'),
    type: string('Normal or Warning.'),
    action: string('What was done or failed.'),
    count: integer('How often it happened.'),
    firstTimestamp: time('When it happened first.'),
    lastTimestamp: time('When it happened last.'),
    eventTime: time('When it was first seen.'),
    source: object('Who tells it.', { component: string('The program.'), host: string('The node it runs on.') }),
    reportingComponent: string('The program that tells it.'),
    reportingInstance: string('Which instance of that program.'),
    series: object('Repetitions.', {
      count: integer('How often it happened until now.'),
      lastObservedTime: time('When it was last seen.'),
    }),
  },
  columns: [
    column('Last Seen', 'Time since it happened last.', (event, nowMs) => ageOf(lastSeen(event), nowMs)),
    column('Type', 'Normal or Warning.', '.type'),
    column('Reason', 'What happened, one word.', '.reason'),
    column('Object', 'What it happened to.', (event) => {
      const kind = textAt(event, 'involvedObject.kind').toLowerCase();
      const name = textAt(event, 'involvedObject.name');
      return kind === '' ? name : `${kind}/${name}`;
    }),
    wideColumn('Subobject', 'The part of the object.', '.involvedObject.fieldPath'),
    wideColumn('Source', 'Who tells it.', (event) => {
      const component = textAt(event, 'source.component') || textAt(event, 'reportingComponent');
      const host = textAt(event, 'source.host') || textAt(event, 'reportingInstance');
      return host === '' ? component : `${component}, ${host}`;
    }),
    column('Message', 'What happened.', (event) => textAt(event, 'message').trim()),
    wideColumn('First Seen', 'Time since it happened first.', (event, nowMs) => ageOf(firstSeen(event), nowMs)),
    wideColumn('Count', 'How often it happened.', (event) =>
      String(countAt(event, 'series.count') || countAt(event, 'count') || 1),
    ),
    wideColumn('Name', 'Name of the event.', '.metadata.name'),
  ],
  selectableFields: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'type',
  ],
});

const nodeType = builtInType({
  version: 'v1',
  resource: 'nodes',
  kind: 'Node',
  shortNames: ['no'],
  namespaced: false,
  hasStatus: true,
  description: 'A machine.',
  fields: {
    spec: object('What is wished.', {
      unschedulable: boolean('Nothing new is to run on it.'),
      providerID: string('What the machine is called by who provides it.'),
      podCIDR: string('Addresses of its Pods.'),
      podCIDRs: list('Addresses of its Pods, one range a family.', string('A range.')),
      taints: list(
        'What a Pod has to tolerate to run on it.',
        object(
          'A taint.',
          {
            key: string('Its name.'),
            value: string('Its value.'),
            effect: string('NoSchedule, PreferNoSchedule or NoExecute.'),
            timeAdded: time('Since when it is there.'),
          },
          { required: ['key', 'effect'] },
        ),
      ),
      configSource: openObject('Not used any more.'),
      externalID: string('Not used any more.'),
    }),
    status: object('What is.', {
      capacity: resources('What the machine has: cpu, memory, storage.'),
      allocatable: resources('What of it may be used.'),
      phase: string('Not used any more.'),
      conditions: conditions('Ready, and what is short.'),
      addresses: listByKey(
        'How it is reached.',
        'type',
        object(
          'An address.',
          { type: string('Hostname, InternalIP, ExternalIP and others.'), address: string('The address.') },
          { required: ['type', 'address'] },
        ),
        // There may be several of one type.
        { 'x-kubernetes-list-type': 'atomic' },
      ),
      daemonEndpoints: openObject('Ports of its programs.'),
      nodeInfo: object('Facts of the machine.', {
        machineID: string('Identity of the installed system.'),
        systemUUID: string('Identity of the machine.'),
        bootID: string('Changes with every boot.'),
        kernelVersion: string('Release of the kernel.'),
        osImage: string('Name of the system.'),
        containerRuntimeVersion: string('What runs containers.'),
        kubeletVersion: string('Release of what manages the node.'),
        kubeProxyVersion: string('Not used any more.'),
        operatingSystem: string('linux.'),
        architecture: string('amd64, arm64.'),
        swap: openObject('Facts about swap.'),
      }),
      images: list('Container images that are there.', openObject('An image.')),
      volumesInUse: list('Volumes that are attached.', string('Name of a volume.')),
      volumesAttached: list('Volumes that are attached, and how.', openObject('A volume.')),
      config: openObject('Not used any more.'),
      runtimeHandlers: list('Ways to run containers.', openObject('A way.')),
      features: openObject('What the runtime can do.'),
    }),
  },
  columns: [
    column('Status', 'Whether it is ready.', (node) => {
      const ready = conditionOf(node, 'Ready');
      const status = ready === '' ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
      return valueAt(node, 'spec.unschedulable') === true ? `${status},SchedulingDisabled` : status;
    }),
    column('Roles', 'What it is for.', rolesOf),
    ageColumn,
    column('Version', 'Release of what manages it.', '.status.nodeInfo.kubeletVersion'),
    wideColumn('Internal-IP', 'Its address inside.', (node) => addressOf(node, 'InternalIP')),
    wideColumn('External-IP', 'Its address outside.', (node) => addressOf(node, 'ExternalIP')),
    wideColumn('OS-Image', 'Its system.', (node) => factOf(node, 'osImage')),
    wideColumn('Kernel-Version', 'Its kernel.', (node) => factOf(node, 'kernelVersion')),
    wideColumn('Container-Runtime', 'What runs containers.', (node) => factOf(node, 'containerRuntimeVersion')),
  ],
  selectableFields: ['spec.unschedulable'],
});

/** The kinds of the core group that an edge without Kubernetes serves: Node, Namespace, ConfigMap, Secret, Event, Pod. */
export const coreTypes: readonly ResourceType[] = [
  nodeType,
  namespaceType,
  configMapType,
  secretType,
  eventType,
  podType,
];

function sizeOf(holder: Fields, path: string): number {
  return Object.keys(fieldsAt(holder, path)).length;
}

function firstSeen(event: Fields): unknown {
  return valueAt(event, 'firstTimestamp') ?? valueAt(event, 'eventTime');
}

function lastSeen(event: Fields): unknown {
  return valueAt(event, 'series.lastObservedTime') ?? valueAt(event, 'lastTimestamp') ?? firstSeen(event);
}

function rolesOf(node: Fields): string {
  const roles = Object.entries(fieldsAt(node, 'metadata.labels')).flatMap(([key, value]) => {
    if (key.startsWith('node-role.kubernetes.io/')) return [key.slice('node-role.kubernetes.io/'.length)];
    return key === 'kubernetes.io/role' ? [String(value)] : [];
  });
  return orNone(
    roles
      .filter((role) => role !== '')
      .sort()
      .join(','),
  );
}

function addressOf(node: Fields, type: string): string {
  const found = listAt(node, 'status.addresses').find((address) => address['type'] === type);
  return orNone(textAt(found, 'address'));
}

function factOf(node: Fields, name: string): string {
  return textAt(node, `status.nodeInfo.${name}`) || '<unknown>';
}
