import { ageOf, formatDuration } from '../age.ts';
import type { PrinterColumn } from '../resource-type.ts';
import { ageColumn } from '../table-columns.ts';
import { column, countColumn, wideColumn } from './built-in-type.ts';
import { conditionOf, countAt, fieldsAt, has, listAt, orNone, textAt, textsAt, type Fields } from './field-reading.ts';

/*
 * How kubectl shows kinds that a real edge has and that are not served here: only their columns are needed.
 */

const containers = wideColumn('Containers', 'Names of the containers.', (object) => containerTexts(object, 'name'));
const images = wideColumn('Images', 'Images of the containers.', (object) => containerTexts(object, 'image'));
const selector = wideColumn('Selector', 'Labels of its Pods.', (object) =>
  selectorText(fieldsAt(object, 'spec.selector')),
);

const desired = countColumn('Desired', 'Pods that are wished for.', (object) => countAt(object, 'spec.replicas', 1));

export const deploymentColumns: readonly PrinterColumn[] = [
  column('Ready', 'Pods that are ready, of how many.', readyOfReplicas),
  countColumn('Up-to-date', 'Pods of the newest template.', (object) => countAt(object, 'status.updatedReplicas')),
  countColumn('Available', 'Pods that have been ready for long enough.', (object) =>
    countAt(object, 'status.availableReplicas'),
  ),
  ageColumn,
  containers,
  images,
  selector,
];

export const replicaSetColumns: readonly PrinterColumn[] = [
  desired,
  countColumn('Current', 'Pods that there are.', (object) => countAt(object, 'status.replicas')),
  countColumn('Ready', 'Pods that are ready.', (object) => countAt(object, 'status.readyReplicas')),
  ageColumn,
  containers,
  images,
  selector,
];

export const statefulSetColumns: readonly PrinterColumn[] = [
  column('Ready', 'Pods that are ready, of how many.', readyOfReplicas),
  ageColumn,
  containers,
  images,
];

export const daemonSetColumns: readonly PrinterColumn[] = [
  countColumn('Desired', 'Nodes that should have a Pod.', (object) => countAt(object, 'status.desiredNumberScheduled')),
  countColumn('Current', 'Nodes that have one.', (object) => countAt(object, 'status.currentNumberScheduled')),
  countColumn('Ready', 'Nodes whose Pod is ready.', (object) => countAt(object, 'status.numberReady')),
  countColumn('Up-to-date', 'Nodes whose Pod is of the newest template.', (object) =>
    countAt(object, 'status.updatedNumberScheduled'),
  ),
  countColumn('Available', 'Nodes whose Pod has been ready for long enough.', (object) =>
    countAt(object, 'status.numberAvailable'),
  ),
  column('Node Selector', 'Labels of the nodes.', (object) =>
    labelsText(fieldsAt(object, 'spec.template.spec.nodeSelector')),
  ),
  ageColumn,
  containers,
  images,
  selector,
];

export const jobColumns: readonly PrinterColumn[] = [
  column('Status', 'How far it is.', jobStatus),
  column('Completions', 'Pods that succeeded, of how many.', (job) => {
    const succeeded = countAt(job, 'status.succeeded');
    if (has(job, 'spec.completions')) return `${succeeded}/${countAt(job, 'spec.completions')}`;
    const parallelism = countAt(job, 'spec.parallelism');
    return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
  }),
  column('Duration', 'From its start to its end, or until now.', (job, nowMs) => {
    const start = textAt(job, 'status.startTime');
    const end = textAt(job, 'status.completionTime');
    if (start === '') return '';
    return end === '' ? ageOf(start, nowMs) : formatDuration(Date.parse(end) - Date.parse(start));
  }),
  ageColumn,
  containers,
  images,
  selector,
];

export const serviceColumns: readonly PrinterColumn[] = [
  column('Type', 'How it is reached.', (service) => textAt(service, 'spec.type') || 'ClusterIP'),
  column('Cluster-IP', 'Its address in the cluster.', (service) =>
    orNone(textsAt(service, 'spec.clusterIPs')[0] ?? textAt(service, 'spec.clusterIP')),
  ),
  column('External-IP', 'Its addresses outside.', externalAddresses),
  column('Port(s)', 'Ports, with the port of the nodes behind a colon.', (service) =>
    orNone(
      listAt(service, 'spec.ports')
        .map((port) => {
          const nodePort = countAt(port, 'nodePort');
          return `${countAt(port, 'port')}${nodePort > 0 ? `:${nodePort}` : ''}/${textAt(port, 'protocol') || 'TCP'}`;
        })
        .join(','),
    ),
  ),
  ageColumn,
  wideColumn('Selector', 'Labels of its Pods.', (service) => labelsText(fieldsAt(service, 'spec.selector'))),
];

export const volumeClaimColumns: readonly PrinterColumn[] = [
  column('Status', 'Whether it has a volume.', (claim) =>
    has(claim, 'metadata.deletionTimestamp') ? 'Terminating' : textAt(claim, 'status.phase'),
  ),
  column('Volume', 'Name of its volume.', '.spec.volumeName'),
  column('Capacity', 'Size of its volume.', (claim) =>
    textAt(claim, 'spec.volumeName') === '' ? '' : textAt(claim, 'status.capacity.storage'),
  ),
  column('Access Modes', 'RWO, ROX, RWX: by one node, by many for reading, by many.', (claim) =>
    textAt(claim, 'spec.volumeName') === '' ? '' : accessModes(claim),
  ),
  column('StorageClass', 'Class that the volume comes from.', '.spec.storageClassName'),
  column(
    'VolumeAttributesClass',
    'Class that the attributes of the volume come from.',
    (claim) => textAt(claim, 'spec.volumeAttributesClassName') || '<unset>',
  ),
  ageColumn,
  wideColumn('VolumeMode', 'Filesystem or Block.', (claim) => textAt(claim, 'spec.volumeMode') || '<unset>'),
];

function readyOfReplicas(object: Fields): string {
  return `${countAt(object, 'status.readyReplicas')}/${countAt(object, 'spec.replicas', 1)}`;
}

function containerTexts(object: Fields, field: string): string {
  return listAt(object, 'spec.template.spec.containers')
    .map((container) => textAt(container, field))
    .join(',');
}

/** `a=b,c in (d,e),!f`. */
function selectorText(selected: Fields): string {
  const labels = Object.entries(fieldsAt(selected, 'matchLabels')).map(([key, value]) => `${key}=${String(value)}`);
  const rules = listAt(selected, 'matchExpressions').map((rule) => {
    const key = textAt(rule, 'key');
    const operator = textAt(rule, 'operator');
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'NotIn' ? 'notin' : 'in'} (${textsAt(rule, 'values').join(',')})`;
  });
  return orNone([...labels, ...rules].join(','));
}

function labelsText(labels: Fields): string {
  const texts = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
  return orNone(texts.sort().join(','));
}

function jobStatus(job: Fields): string {
  for (const [type, shown] of [
    ['Complete', 'Complete'],
    ['Failed', 'Failed'],
  ] as const)
    if (conditionOf(job, type) === 'True') return shown;
  if (has(job, 'metadata.deletionTimestamp')) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'])
    if (conditionOf(job, type) === 'True') return type;
  return 'Running';
}

function externalAddresses(service: Fields): string {
  const own = textsAt(service, 'spec.externalIPs');
  const type = textAt(service, 'spec.type');
  if (type === 'ExternalName') return orNone(textAt(service, 'spec.externalName'));
  if (type !== 'LoadBalancer') return orNone(own.join(','));
  const given = listAt(service, 'status.loadBalancer.ingress').map((at) => textAt(at, 'ip') || textAt(at, 'hostname'));
  const all = [...given, ...own].filter((address) => address !== '');
  return all.length === 0 ? '<pending>' : all.join(',');
}

const shortAccessModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function accessModes(claim: Fields): string {
  return textsAt(claim, 'status.accessModes')
    .map((mode) => shortAccessModes[mode] ?? mode)
    .join(',');
}
