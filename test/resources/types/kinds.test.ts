import t from 'tap';
import { checkDefinition } from '../../../resources/types/crd-check.ts';
import { typesOfDefinition } from '../../../resources/types/crd.ts';
import { definitionType } from '../../../resources/types/kinds/definition.ts';
import { embeddedTypes, knownType } from '../../../resources/types/kinds/known-types.ts';
import type { ResourceType } from '../../../resources/types/resource-type.ts';
import { schemaCheckOf } from '../../../resources/types/schema-check.ts';
import { checkStructure } from '../../../resources/types/structural-schema.ts';
import { tableColumnsOf } from '../../../resources/types/table-columns.ts';

const now = Date.parse('2026-01-01T01:00:00Z');

function typeOf(group: string, resource: string): ResourceType {
  const type = knownType(group, 'v1', resource);
  if (type === undefined) throw new Error(`no ${resource}`);
  return type;
}

/** A row as `kubectl get -o wide` shows it, under its headings. */
function row(type: ResourceType, object: Record<string, unknown>): Record<string, unknown> {
  const columns = tableColumnsOf(type);
  const values = columns.cells(
    { metadata: { name: 'a', creationTimestamp: '2026-01-01T00:00:00Z', ...Object(object['metadata']) }, ...object },
    now,
  );
  return Object.fromEntries(columns.definitions.map(({ name }, index) => [name, values[index]]));
}

function podRow(status: object, spec: object = { containers: [{ name: 'a' }, { name: 'b' }] }, metadata: object = {}) {
  const pod = { metadata: { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata }, spec, status };
  const { Ready, Status, Restarts } = row(typeOf('', 'pods'), pod);
  return `${String(Ready)} ${String(Status)} ${String(Restarts)}`;
}

const running = { name: 'a', ready: true, restartCount: 0, state: { running: {} } };

t.test('a Pod is summed up as kubectl does', async (t) => {
  const crash = { name: 'b', ready: false, restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } };
  const last = { terminated: { finishedAt: '2026-01-01T00:57:00Z' } };
  const done = { name: 'b', restartCount: 0, state: { terminated: { exitCode: 0, reason: 'Completed' } } };
  const exit = (terminated: object) => ({ name: 'a', restartCount: 0, state: { terminated } });
  const init = { containers: [{ name: 'a' }], initContainers: [{ name: 'i' }, { name: 'j' }] };
  const sidecar = { containers: [{ name: 'a' }], initContainers: [{ name: 's', restartPolicy: 'Always' }] };
  const rows: [string, string][] = [
    [podRow({ phase: 'Pending' }), '0/2 Pending 0'],
    [podRow({ phase: 'Running', containerStatuses: [running, { ...running, name: 'b' }] }), '2/2 Running 0'],
    [podRow({ phase: 'Running', containerStatuses: [running, crash] }), '1/2 CrashLoopBackOff 4'],
    [
      podRow({ phase: 'Running', containerStatuses: [running, { ...crash, lastState: last }] }),
      '1/2 CrashLoopBackOff 4 (3m ago)',
    ],
    [podRow({ phase: 'Succeeded', containerStatuses: [done, { ...done, name: 'a' }] }), '0/2 Completed 0'],
    [podRow({ phase: 'Failed', reason: 'Evicted' }), '0/2 Evicted 0'],
    [podRow({ phase: 'Failed', containerStatuses: [exit({ exitCode: 3 })] }), '0/2 ExitCode:3 0'],
    [podRow({ phase: 'Failed', containerStatuses: [exit({ exitCode: 137, signal: 9 })] }), '0/2 Signal:9 0'],
    [podRow({ phase: 'Running', containerStatuses: [running, done] }), '1/2 NotReady 0'],
    [
      podRow({
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [running, done],
      }),
      '1/2 Running 0',
    ],
    [
      podRow({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
      '0/2 SchedulingGated 0',
    ],
    [
      podRow({ phase: 'Pending', initContainerStatuses: [{ name: 'i', state: { running: {} } }] }, init),
      '0/1 Init:0/2 0',
    ],
    [
      podRow(
        {
          phase: 'Pending',
          initContainerStatuses: [
            { name: 'i', restartCount: 1, state: { terminated: { exitCode: 0 } } },
            { name: 'j', restartCount: 2, state: { terminated: { exitCode: 1, reason: 'Error' } } },
          ],
        },
        init,
      ),
      '0/1 Init:Error 3',
    ],
    [
      podRow(
        { phase: 'Pending', initContainerStatuses: [{ name: 'i', state: { waiting: { reason: 'ErrImagePull' } } }] },
        init,
      ),
      '0/1 Init:ErrImagePull 0',
    ],
    [
      podRow(
        {
          phase: 'Running',
          initContainerStatuses: [{ name: 's', ready: true, started: true, restartCount: 2, state: { running: {} } }],
          containerStatuses: [running],
        },
        sidecar,
      ),
      '2/2 Running 2',
    ],
    [
      podRow({ phase: 'Running', containerStatuses: [running] }, undefined, { deletionTimestamp: 'x' }),
      '1/2 Terminating 0',
    ],
    [podRow({ phase: 'Running', reason: 'NodeLost' }, undefined, { deletionTimestamp: 'x' }), '0/2 Unknown 0'],
    [podRow({ phase: 'Succeeded' }, undefined, { deletionTimestamp: 'x' }), '0/2 Succeeded 0'],
  ];
  for (const [shown, expected] of rows) t.equal(shown, expected);
});

t.test('a Pod has its wide columns', async (t) => {
  t.match(
    row(typeOf('', 'pods'), {
      spec: { nodeName: 'n1', containers: [], readinessGates: [{ conditionType: 'lb' }, { conditionType: 'x' }] },
      status: { podIPs: [{ ip: '10.0.0.7' }], conditions: [{ type: 'lb', status: 'True' }] },
    }),
    { 'Age': '60m', 'IP': '10.0.0.7', 'Node': 'n1', 'Nominated Node': '<none>', 'Readiness Gates': '1/2' },
  );
});

t.test('nodes, events and the small kinds show what kubectl shows', async (t) => {
  t.same(
    row(typeOf('', 'nodes'), {
      metadata: {
        name: 'n1',
        creationTimestamp: '2026-01-01T00:00:00Z',
        labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/edge': '' },
      },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        nodeInfo: { kubeletVersion: 'v1.32.0', osImage: 'Debian' },
      },
    }),
    {
      'Name': 'n1',
      'Status': 'Ready,SchedulingDisabled',
      'Roles': 'edge,worker',
      'Age': '60m',
      'Version': 'v1.32.0',
      'Internal-IP': '10.0.0.1',
      'External-IP': '<none>',
      'OS-Image': 'Debian',
      'Kernel-Version': '<unknown>',
      'Container-Runtime': '<unknown>',
    },
  );
  t.same(row(typeOf('', 'secrets'), { type: 'Opaque', data: { a: '', b: '' } }), {
    Name: 'a',
    Type: 'Opaque',
    Data: 2,
    Age: '60m',
  });
  t.match(row(typeOf('', 'configmaps'), { data: { a: '' }, binaryData: { b: '' } }), { Data: 2 });
  t.match(row(typeOf('', 'namespaces'), { status: { phase: 'Active' } }), { Status: 'Active' });
  t.same(
    row(typeOf('', 'events'), {
      involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec' },
      type: 'Warning',
      reason: 'BackOff',
      message: 'it failed \n',
      source: { component: 'kubelet', host: 'n1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:55:00Z',
      count: 7,
    }),
    {
      'Last Seen': '5m',
      'Type': 'Warning',
      'Reason': 'BackOff',
      'Object': 'pod/p',
      'Subobject': 'spec',
      'Source': 'kubelet, n1',
      'Message': 'it failed',
      'First Seen': '60m',
      'Count': '7',
      'Name': 'a',
    },
    'the name comes last',
  );
});

t.test('workloads and machines of real edges show what kubectl shows', async (t) => {
  const template = { spec: { containers: [{ name: 'c', image: 'i' }], nodeSelector: { b: '2', a: '1' } } };
  const selector = { matchLabels: { app: 'x' }, matchExpressions: [{ key: 'k', operator: 'NotIn', values: ['v'] }] };
  t.match(
    row(typeOf('apps', 'deployments'), {
      spec: { replicas: 3, template, selector },
      status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
    }),
    {
      'Ready': '2/3',
      'Up-to-date': 3,
      'Available': 2,
      'Containers': 'c',
      'Images': 'i',
      'Selector': 'app=x,k notin (v)',
    },
  );
  t.match(row(typeOf('apps', 'replicasets'), { spec: { replicas: 0 } }), { Desired: 0, Current: 0, Ready: 0 });
  t.match(row(typeOf('apps', 'statefulsets'), { spec: {} }), { Ready: '0/1' });
  t.match(row(typeOf('apps', 'daemonsets'), { spec: { template }, status: { numberReady: 4 } }), {
    'Ready': 4,
    'Node Selector': 'a=1,b=2',
  });
  const times = { startTime: '2026-01-01T00:00:00Z', completionTime: '2026-01-01T00:02:30Z' };
  t.match(
    row(typeOf('batch', 'jobs'), {
      spec: { completions: 1 },
      status: { ...times, succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] },
    }),
    { Status: 'Complete', Completions: '1/1', Duration: '2m30s' },
  );
  t.match(
    row(typeOf('', 'services'), {
      spec: { type: 'LoadBalancer', clusterIP: '10.0.0.9', ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }] },
    }),
    { 'Type': 'LoadBalancer', 'Cluster-IP': '10.0.0.9', 'External-IP': '<pending>', 'Port(s)': '80:30080/TCP' },
  );
  t.match(
    row(typeOf('', 'persistentvolumeclaims'), {
      spec: { volumeName: 'v' },
      status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] },
    }),
    { 'Status': 'Bound', 'Capacity': '1Gi', 'Access Modes': 'RWO,ROX' },
  );
  const conditions = [{ type: 'Ready', status: 'True' }];
  t.same(row(typeOf('kubevirt.io', 'virtualmachines'), { status: { printableStatus: 'Running', conditions } }), {
    Name: 'a',
    Age: '60m',
    Status: 'Running',
    Ready: 'True',
  });
  t.match(
    row(typeOf('kubevirt.io', 'virtualmachineinstances'), {
      status: { phase: 'Running', nodeName: 'n1', interfaces: [{ ipAddress: '10.0.0.3' }], conditions },
    }),
    { Phase: 'Running', IP: '10.0.0.3', NodeName: 'n1', Ready: 'True' },
  );
});

t.test('rubbish makes a row, not an exception', async (t) => {
  const groups = ['', 'apps', 'batch', 'kubevirt.io', 'apiextensions.k8s.io'];
  const names = [
    'pods',
    'nodes',
    'events',
    'secrets',
    'configmaps',
    'namespaces',
    'services',
    'persistentvolumeclaims',
  ];
  const more = [
    'deployments',
    'replicasets',
    'daemonsets',
    'statefulsets',
    'jobs',
    'virtualmachines',
    'virtualmachineinstances',
  ];
  const types = groups.flatMap((group) =>
    [...names, ...more, 'customresourcedefinitions'].map((name) => knownType(group, 'v1', name)),
  );
  const known = types.filter((type) => type !== undefined);
  t.equal(known.length, 16);
  const rubbish = [
    {},
    { metadata: null, spec: 7, status: 'x' },
    {
      metadata: [],
      spec: { containers: [null, 1], ports: {} },
      status: { conditions: [7], containerStatuses: [{}, null] },
    },
    { status: { containerStatuses: [{ state: 'x', restartCount: 'many' }], initContainerStatuses: [{ state: [] }] } },
  ];
  for (const type of known)
    for (const object of rubbish) {
      const columns = tableColumnsOf(type);
      t.equal(columns.cells(object, now).length, columns.definitions.length);
    }
});

t.test('a kind without columns shows its age, and a path that finds nothing an empty cell', async (t) => {
  t.same(
    tableColumnsOf({ columns: [] }).definitions.map(({ name, format }) => `${name} ${format}`),
    ['Name name', 'Age '],
  );
  const columns = tableColumnsOf({
    columns: [
      { name: 'A', type: 'string', priority: 0, value: '.spec.a' },
      { name: 'N', type: 'integer', priority: 0, value: '.spec.n' },
      { name: 'B', type: 'boolean', priority: 0, value: '.spec.b' },
      { name: 'F', type: 'number', priority: 0, value: '.spec.f' },
      { name: 'O', type: 'string', priority: 0, value: '.spec.o' },
      { name: 'D', type: 'date', priority: 0, value: '.spec.d' },
    ],
  });
  t.same(columns.cells({ metadata: { name: 'x' } }, now), ['x', null, null, null, null, null, null]);
  t.same(columns.cells({ spec: { a: 1, n: 2.7, b: false, f: 0.5, o: { x: [1] }, d: '2026-01-01T00:59:00Z' } }, now), [
    null,
    '1',
    2,
    false,
    0.5,
    '{"x":[1]}',
    '60s',
  ]);
});

t.test('an honest Pod loses nothing, and a wrong field is found', async (t) => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'p',
      creationTimestamp: null,
      labels: { a: 'b' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' }],
    },
    spec: {
      restartPolicy: 'Always',
      containers: [
        {
          name: 'c',
          image: 'i',
          resources: { limits: { 'cpu': 0.5, 'memory': '64Mi', 'example.com/gpu': 1 } },
          livenessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 3 },
          securityContext: { capabilities: { drop: ['ALL'] } },
          env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
          ports: [
            { containerPort: 53, protocol: 'TCP' },
            { containerPort: 53, protocol: 'UDP' },
          ],
          volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true }],
        },
      ],
      volumes: [{ name: 'v', projected: { sources: [{ configMap: { name: 'c' } }] } }],
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
      tolerations: [{ operator: 'Exists' }],
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }],
    },
    status: { phase: 'Running', containerStatuses: [{ ...running, lastState: {}, image: 'i', imageID: 'x' }] },
  };
  const check = schemaCheckOf(typeOf('', 'pods'));
  const shaped = check.shape(pod);
  t.same(shaped.unknown, []);
  t.same(check.validate(shaped.object), []);
  t.same(shaped.object, { ...pod, metadata: { ...pod.metadata, creationTimestamp: null } });
  t.same(check.shape({ ...pod, spec: { ...pod.spec, containers: [{ name: 'c', imagee: 'i' }] } }).unknown, [
    'spec.containers[0].imagee',
  ]);
  t.match(check.validate({ ...pod, spec: { containers: [{ image: 'i' }] } }), [
    { field: 'spec.containers[0].name', reason: 'FieldValueRequired' },
  ]);
  t.match(check.validate({ ...pod, spec: { containers: [] } }), [{ field: 'spec.containers' }]);
});

t.test('an honest virtual machine loses nothing, and a wrong size is found', async (t) => {
  const machine = {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: 'vm' },
    spec: {
      runStrategy: 'Always',
      template: {
        metadata: { labels: { a: 'b' } },
        spec: {
          domain: {
            cpu: { cores: 2, model: 'host-model' },
            memory: { guest: '1Gi' },
            devices: {
              disks: [{ name: 'root', disk: { bus: 'virtio' } }],
              interfaces: [{ name: 'default', masquerade: {} }],
              rng: {},
            },
          },
          networks: [{ name: 'default', pod: {} }],
          volumes: [
            { name: 'root', containerDisk: { image: 'i' } },
            { name: 'init', cloudInitNoCloud: { userData: 'x' } },
          ],
        },
      },
    },
  };
  const check = schemaCheckOf(typeOf('kubevirt.io', 'virtualmachines'));
  t.same(check.shape(machine), { object: machine, unknown: [] });
  t.same(check.validate(machine), []);
  const bad = structuredClone(machine);
  bad.spec.template.spec.domain.memory.guest = 'a lot';
  t.match(check.validate(bad), [{ field: 'spec.template.spec.domain.memory.guest', reason: 'FieldValueInvalid' }]);
});

t.test('schemas of built-in kinds keep the rules for definitions, and each field says what it is', async (t) => {
  for (const type of [...embeddedTypes, definitionType]) {
    t.same(
      checkStructure(type.schema, '').filter(({ field }) => !/^\.properties\.(metadata)/.test(field)),
      [],
      type.kind,
    );
    t.notMatch(JSON.stringify(type.schema), /"description":""/, type.kind);
  }
});

t.test('a definition is itself a kind whose objects are checked', async (t) => {
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Cluster',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: {} } } },
      ],
    },
  };
  const { object, unknown } = schemaCheckOf(definitionType).shape(definition);
  t.same(unknown, []);
  t.same(schemaCheckOf(definitionType).validate(object), []);
  t.same(checkDefinition(object), []);
  t.equal(typesOfDefinition(object).length, 1);
});
