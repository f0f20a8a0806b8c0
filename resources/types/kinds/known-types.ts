import type { ResourceType } from '../resource-type.ts';
import { openObject } from '../schema-parts.ts';
import { builtInType, type BuiltInType } from './built-in-type.ts';
import { coreTypes } from './core-types.ts';
import { definitionType } from './definition.ts';
import { machineTypes } from './virtual-machine.ts';
import {
  daemonSetColumns,
  deploymentColumns,
  jobColumns,
  replicaSetColumns,
  serviceColumns,
  statefulSetColumns,
  volumeClaimColumns,
} from './workload-columns.ts';

/** What an edge without Kubernetes serves: the core kinds and those of virtual machines. */
export const embeddedTypes: readonly ResourceType[] = [...coreTypes, ...machineTypes];

const apps = { group: 'apps', description: 'A set of Pods that is kept up.' };

/** Kinds that are never served from here, only shown as edges have them: their objects may have any fields. */
const shownTypes: readonly ResourceType[] = [
  shown({ ...apps, resource: 'deployments', kind: 'Deployment', shortNames: ['deploy'], columns: deploymentColumns }),
  shown({ ...apps, resource: 'replicasets', kind: 'ReplicaSet', shortNames: ['rs'], columns: replicaSetColumns }),
  shown({ ...apps, resource: 'statefulsets', kind: 'StatefulSet', shortNames: ['sts'], columns: statefulSetColumns }),
  shown({ ...apps, resource: 'daemonsets', kind: 'DaemonSet', shortNames: ['ds'], columns: daemonSetColumns }),
  shown({
    group: 'batch',
    resource: 'jobs',
    kind: 'Job',
    description: 'Pods that run until they have done something.',
    columns: jobColumns,
    selectableFields: ['status.successful'],
  }),
  shown({
    resource: 'services',
    kind: 'Service',
    shortNames: ['svc'],
    description: 'An address for Pods.',
    columns: serviceColumns,
    selectableFields: ['spec.clusterIP', 'spec.type'],
  }),
  shown({
    resource: 'persistentvolumeclaims',
    kind: 'PersistentVolumeClaim',
    shortNames: ['pvc'],
    categories: [],
    description: 'Storage that Pods can mount.',
    columns: volumeClaimColumns,
  }),
];

const byName = new Map(
  [...embeddedTypes, definitionType, ...shownTypes].map((type) => [`${type.group}/${type.resource}`, type]),
);

/**
 * What is known of a resource of Kubernetes or KubeVirt beside what discovery says: its columns as kubectl shows them, and the fields
 * that selectors may name. The same for all versions; undefined for any other.
 */
export function knownType(group: string, version: string, resource: string): ResourceType | undefined {
  const type = byName.get(`${group}/${resource}`);
  return type === undefined || type.version === version ? type : { ...type, version };
}

function shown(type: Omit<BuiltInType, 'version' | 'namespaced' | 'fields'>): ResourceType {
  return builtInType({
    categories: ['all'],
    ...type,
    version: 'v1',
    namespaced: true,
    hasStatus: true,
    fields: { spec: openObject('What is wished.'), status: openObject('What is.') },
  });
}
