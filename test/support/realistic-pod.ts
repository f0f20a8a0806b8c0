import { createHash } from 'node:crypto';
import type { KubeObject } from '../../resources/index.ts';

type Fields = Record<string, unknown>;

/** A Pod as a real cluster has them: two containers, status, and some 4 KiB of managedFields; 9 KiB in all. The same for the same number. */
export function realisticPod(index: number, version: number): KubeObject {
  const app = ['web', 'api', 'worker', 'cache'][index % 4] ?? 'web';
  const set = digest(`set ${index >> 3}`).slice(0, 10);
  const time = '2026-03-01T10:00:00Z';
  const uid = uuid(`pod ${index}`);
  const ip = `10.1.${(index >> 8) & 255}.${index & 255}`;
  const names = ['main', 'sidecar'];
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: `${app}-${set}-${digest(`name ${index}`).slice(0, 5)}`,
      generateName: `${app}-${set}-`,
      namespace: `team-${index % 20}`,
      uid,
      resourceVersion: String(version),
      creationTimestamp: time,
      labels: { app, 'pod-template-hash': set, 'team': `team-${index % 20}` },
      annotations: { 'prometheus.io/scrape': 'true', 'checksum/config': digest(`config ${index}`) },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${app}-${set}`,
          uid: uuid(`set ${set}`),
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: [
        managed('kube-controller-manager', time, {
          'f:metadata': {
            'f:annotations': leaves('checksum/config', 'prometheus.io/scrape'),
            'f:generateName': {},
            'f:labels': leaves('app', 'pod-template-hash', 'team'),
            'f:ownerReferences': { '.': {}, [`k:{"uid":"${uid}"}`]: {} },
          },
          'f:spec': {
            'f:containers': Object.fromEntries(names.map((name) => [`k:{"name":"${name}"}`, containerFields()])),
            ...leaves('dnsPolicy', 'enableServiceLinks', 'restartPolicy', 'schedulerName', 'securityContext'),
          },
        }),
        {
          ...managed('kubelet', time, {
            'f:status': {
              'f:conditions': Object.fromEntries(
                ['ContainersReady', 'Initialized', 'Ready'].map((type) => [
                  `k:{"type":"${type}"}`,
                  leaves('lastProbeTime', 'lastTransitionTime', 'status', 'type'),
                ]),
              ),
              ...leaves('containerStatuses', 'hostIP', 'phase', 'podIP', 'startTime'),
              'f:podIPs': { '.': {}, [`k:{"ip":"${ip}"}`]: leaves('ip') },
            },
          }),
          subresource: 'status',
        },
      ],
    },
    spec: {
      volumes: [
        {
          name: `kube-api-access-${set.slice(0, 5)}`,
          projected: {
            sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: 'token' } }],
            defaultMode: 420,
          },
        },
      ],
      containers: names.map((name) => container(name, app, index)),
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      nodeName: `node-${index % 30}`,
      securityContext: {},
      schedulerName: 'default-scheduler',
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
      enableServiceLinks: true,
    },
    status: {
      phase: 'Running',
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: time,
      })),
      hostIP: `10.0.0.${index % 30}`,
      podIP: ip,
      podIPs: [{ ip }],
      startTime: time,
      containerStatuses: names.map((name) => ({
        name,
        state: { running: { startedAt: time } },
        lastState: {},
        ready: true,
        restartCount: 0,
        image: `registry.example.com/team/${app}-${name}:1.${index % 9}.3`,
        imageID: `registry.example.com/team/${app}-${name}@sha256:${digest(`image ${app} ${name} ${index % 9}`)}`,
        containerID: `containerd://${digest(`container ${name} ${index}`)}`,
        started: true,
      })),
      qosClass: 'Burstable',
    },
  };
}

/** The Pod after its kubelet has said something new of it. */
export function withStatusUpdate(pod: KubeObject, version: number, round: number): KubeObject {
  const time = new Date(Date.UTC(2026, 2, 1, 11, 0, round)).toISOString().replace('.000', '');
  const status = round % 2 === 0 ? 'False' : 'True';
  const { conditions, containerStatuses, ...rest } = pod['status'] as {
    conditions: Fields[];
    containerStatuses: Fields[];
  };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      resourceVersion: String(version),
      managedFields: (pod.metadata.managedFields ?? []).map((each, index) =>
        index === 1 ? { ...(each as Fields), time } : each,
      ),
    },
    status: {
      ...rest,
      conditions: conditions.map((each) =>
        String(each['type']).includes('Ready') ? { ...each, status, lastTransitionTime: time } : each,
      ),
      containerStatuses: containerStatuses.map((each, index) =>
        index === 0 ? { ...each, ready: status === 'True', restartCount: round } : each,
      ),
    },
  };
}

function container(name: string, app: string, index: number): Fields {
  return {
    name,
    image: `registry.example.com/team/${app}-${name}:1.${index % 9}.3`,
    ports: [{ containerPort: 8080, protocol: 'TCP' }],
    env: Array.from({ length: 12 }, (_, each) => ({
      name: `SETTING_${each}`,
      value: `value-${each}-${app}-${index % 50}`,
    })),
    resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
    livenessProbe: {
      httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' },
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
  };
}

function containerFields(): Fields {
  const settings = Array.from({ length: 12 }, (_, each) => [`k:{"name":"SETTING_${each}"}`, leaves('name', 'value')]);
  return {
    ...leaves('image', 'imagePullPolicy', 'name', 'terminationMessagePath', 'terminationMessagePolicy'),
    'f:env': { '.': {}, ...Object.fromEntries(settings) },
    'f:livenessProbe': {
      ...leaves('failureThreshold', 'periodSeconds', 'successThreshold', 'timeoutSeconds'),
      'f:httpGet': leaves('path', 'port', 'scheme'),
    },
    'f:ports': { '.': {}, 'k:{"containerPort":8080,"protocol":"TCP"}': leaves('containerPort', 'protocol') },
    'f:resources': { 'f:limits': leaves('cpu', 'memory'), 'f:requests': leaves('cpu', 'memory') },
  };
}

function managed(manager: string, time: string, fieldsV1: Fields): Fields {
  return { manager, operation: 'Update', apiVersion: 'v1', time, fieldsType: 'FieldsV1', fieldsV1 };
}

function leaves(...names: readonly string[]): Fields {
  return { '.': {}, ...Object.fromEntries(names.map((name) => [`f:${name}`, {}])) };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function uuid(text: string): string {
  return digest(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/u, '$1-$2-$3-$4-$5');
}
