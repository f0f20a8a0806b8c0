import type { ObjectSchema } from '../resource-type.ts';
import {
  boolean,
  conditions,
  integer,
  integer64,
  list,
  listByKey,
  map,
  object,
  openObject,
  quantity,
  string,
  time,
} from '../schema-parts.ts';
import { builtInType } from './built-in-type.ts';
import { container, containerStatuses, localReference, resourceNeeds } from './container-schema.ts';
import { podColumns } from './pod-columns.ts';

const address = (description: string): ObjectSchema =>
  listByKey(description, 'ip', object('An address.', { ip: string('The address.') }, { required: ['ip'] }));

/*
 * All fields of Kubernetes' Pods stand here by name, so that a wrong one is found; what is below the second level is open.
 */
const podSpec = object(
  'What is wished.',
  {
    containers: listByKey('The containers; at least one.', 'name', container, { minItems: 1 }),
    initContainers: listByKey(
      'Containers that run one after the other before the others begin; with restartPolicy Always, beside them.',
      'name',
      container,
    ),
    ephemeralContainers: listByKey('Containers that are added to look into a running Pod.', 'name', container),
    volumes: listByKey(
      'What containers can mount.',
      'name',
      openObject('A volume: its name, and where it comes from.', {
        properties: { name: string('Name by which containers mount it.') },
        required: ['name'],
      }),
    ),
    restartPolicy: string('What happens when a container ends: Always, OnFailure or Never.', {
      enum: ['Always', 'OnFailure', 'Never'],
      default: 'Always',
    }),
    terminationGracePeriodSeconds: integer64('Seconds between the wish to end and the end.', { minimum: 0 }),
    activeDeadlineSeconds: integer64('Seconds that it may run.', { minimum: 1 }),
    nodeName: string('Node that it runs on.'),
    nodeSelector: map('Labels of nodes that it may run on.', string('A value.')),
    affinity: openObject('Rules about nodes and other Pods that it wants to be near to or far from.'),
    tolerations: list('Taints of nodes that it bears.', openObject('A taint, or several.')),
    topologySpreadConstraints: list('How Pods are spread over nodes and zones.', openObject('A rule.')),
    schedulerName: string('Who chooses the node.'),
    schedulingGates: list('What has to open before a node is chosen.', openObject('A gate.')),
    priority: integer('The higher, the more important.'),
    priorityClassName: string('Name of a class with a priority.'),
    preemptionPolicy: string('Whether it may push others away.'),
    serviceAccountName: string('Account that its programs act as.'),
    serviceAccount: string('The old name of serviceAccountName.'),
    automountServiceAccountToken: boolean('Whether the token of the account is mounted.'),
    imagePullSecrets: listByKey('Secrets with which images are fetched.', 'name', localReference('A Secret.')),
    hostname: string('Host name in the Pod.'),
    hostnameOverride: string('Host name in the Pod, whatever else says so.'),
    subdomain: string('Domain of the host name.'),
    setHostnameAsFQDN: boolean('Whether the host name is the whole name.'),
    hostNetwork: boolean('Whether it shares the network of the node.'),
    hostPID: boolean('Whether it sees the processes of the node.'),
    hostIPC: boolean('Whether it shares the memory segments of the node.'),
    hostUsers: boolean('Whether it shares the users of the node.'),
    hostAliases: listByKey(
      'More lines of the hosts file.',
      'ip',
      object('A line.', { ip: string('The address.'), hostnames: list('Its names.', string('A name.')) }),
    ),
    shareProcessNamespace: boolean('Whether its containers see the processes of each other.'),
    dnsPolicy: string('Where names are looked up.'),
    dnsConfig: openObject('More servers, domains and options for looking names up.'),
    enableServiceLinks: boolean('Whether services are told in the environment.'),
    securityContext: openObject('Users, groups and rights of all containers.'),
    readinessGates: list(
      'Conditions that have to hold besides for it to be ready.',
      object('A condition.', { conditionType: string('Type of the condition.') }, { required: ['conditionType'] }),
    ),
    runtimeClassName: string('Way in which its containers are run.'),
    overhead: map('What running it costs besides its containers.', quantity('How much.')),
    os: object('System that it is for.', { name: string('linux or windows.') }),
    resources: resourceNeeds('What all containers together need.'),
    resourceClaims: listByKey('Devices that it needs.', 'name', openObject('A claim.')),
    workloadRef: openObject('Group of Pods that it is placed with.'),
  },
  { required: ['containers'] },
);

const podStatus = object('What is.', {
  phase: string('Pending, Running, Succeeded, Failed or Unknown.'),
  reason: string('Why, one word.'),
  message: string('Why, for people.'),
  observedGeneration: integer64('The generation that this was found for.'),
  conditions: conditions('How far it has come.'),
  hostIP: string('Address of the node.'),
  hostIPs: address('Addresses of the node.'),
  podIP: string('Its first address.'),
  podIPs: address('Its addresses.'),
  startTime: time('When the node took it up.'),
  nominatedNodeName: string('Node that is being cleared for it.'),
  qosClass: string('Guaranteed, Burstable or BestEffort.'),
  containerStatuses: containerStatuses('State of its containers.'),
  initContainerStatuses: containerStatuses('State of its init containers.'),
  ephemeralContainerStatuses: containerStatuses('State of its ephemeral containers.'),
  resize: string('How far a change of its resources is.'),
  resources: openObject('What it was given.'),
  allocatedResources: map('What it was promised.', quantity('How much.')),
  resourceClaimStatuses: list('State of its claims.', openObject('A claim.')),
  extendedResourceClaimStatus: openObject('State of a claim that it did not name.'),
});

export const podType = builtInType({
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  hasStatus: true,
  description: 'Containers that run together on one node.',
  fields: { spec: podSpec, status: podStatus },
  required: ['spec'],
  columns: podColumns,
  selectableFields: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
});
