import type { ObjectSchema } from '../resource-type.ts';
import { boolean, integer, list, listByKey, map, object, openObject, quantity, string, time } from '../schema-parts.ts';

/** A reference to an object of the same namespace. */
export function localReference(description: string): ObjectSchema {
  return object(description, { name: string('Its name.') });
}

/** `requests` and `limits`. */
export function resourceNeeds(description: string): ObjectSchema {
  return object(description, {
    requests: map('What it needs at least.', quantity('How much.')),
    limits: map('What it gets at most.', quantity('How much.')),
    claims: list('Devices of the Pod that it uses.', openObject('A claim.')),
  });
}

export const container: ObjectSchema = object(
  'A container.',
  {
    name: string('Name, unique in the Pod.', { minLength: 1, maxLength: 63 }),
    image: string('Image that it is made from.'),
    imagePullPolicy: string('When the image is fetched: Always, IfNotPresent or Never.', {
      enum: ['Always', 'IfNotPresent', 'Never'],
    }),
    command: list('Program to run in place of the one of the image.', string('A word.')),
    args: list('Arguments in place of those of the image.', string('A word.')),
    workingDir: string('Folder that the program begins in.'),
    env: listByKey(
      'Environment variables.',
      'name',
      object(
        'A variable.',
        {
          name: string('Its name.'),
          value: string('Its value.'),
          valueFrom: openObject('Where its value comes from.'),
        },
        { required: ['name'] },
      ),
      // The last one of a name counts.
      { 'x-kubernetes-list-type': 'atomic' },
    ),
    envFrom: list('Whole sources of environment variables.', openObject('A ConfigMap or a Secret.')),
    ports: listByKey(
      'Ports that it listens at.',
      'containerPort',
      object(
        'A port.',
        {
          containerPort: integer('Number of the port.', { minimum: 1, maximum: 65535 }),
          hostPort: integer('The same at the node.', { minimum: 0, maximum: 65535 }),
          hostIP: string('Address at the node.'),
          name: string('Its name.'),
          protocol: string('TCP, UDP or SCTP.', { default: 'TCP' }),
        },
        { required: ['containerPort'] },
      ),
      { 'x-kubernetes-list-map-keys': ['containerPort', 'protocol'], 'x-kubernetes-list-type': 'atomic' },
    ),
    resources: resourceNeeds('What it needs and gets.'),
    resizePolicy: list('Whether a change of resources restarts it.', openObject('A rule.')),
    restartPolicy: string('For init containers: Always makes it run beside the others.'),
    restartPolicyRules: list('When it is restarted.', openObject('A rule.')),
    volumeMounts: listByKey(
      'Where volumes are mounted.',
      'mountPath',
      object(
        'A mount.',
        {
          name: string('Name of the volume.'),
          mountPath: string('Path in the container.'),
          subPath: string('Path in the volume.'),
          subPathExpr: string('Path in the volume, with variables.'),
          readOnly: boolean('Whether it cannot be written.'),
          recursiveReadOnly: string('Whether that holds for mounts below too.'),
          mountPropagation: string('Whether later mounts are seen on the other side.'),
        },
        { required: ['name', 'mountPath'] },
      ),
    ),
    volumeDevices: listByKey(
      'Where volumes appear as devices.',
      'devicePath',
      object('A device.', { name: string('Name of the volume.'), devicePath: string('Path of the device.') }),
    ),
    livenessProbe: openObject('When it is to be restarted.'),
    readinessProbe: openObject('When it is ready for traffic.'),
    startupProbe: openObject('When it has started.'),
    lifecycle: openObject('What is done after its start and before its end.'),
    terminationMessagePath: string('File that it says its last words in.'),
    terminationMessagePolicy: string('Where its last words come from.'),
    securityContext: openObject('User, groups and rights.'),
    stdin: boolean('Whether it has an input.'),
    stdinOnce: boolean('Whether the input ends with its first reader.'),
    tty: boolean('Whether it has a terminal.'),
    targetContainerName: string('For ephemeral containers: whose processes it sees.'),
  },
  { required: ['name'] },
);

export function containerStatuses(description: string): ObjectSchema {
  return list(description, containerStatus);
}

const containerState = object('What a container does, or how it ended.', {
  waiting: object('It does not run yet.', { reason: string('Why, one word.'), message: string('Why, for people.') }),
  running: object('It runs.', { startedAt: time('Since when.') }),
  terminated: object('It has ended.', {
    exitCode: integer('What it ended with.'),
    signal: integer('Signal that ended it.'),
    reason: string('Why, one word.'),
    message: string('Why, for people.'),
    startedAt: time('When it began.'),
    finishedAt: time('When it ended.'),
    containerID: string('What the runtime called it.'),
  }),
});

const containerStatus = object('State of a container.', {
  name: string('Its name.'),
  image: string('Image that runs.'),
  imageID: string('Digest of the image.'),
  containerID: string('What the runtime calls it.'),
  ready: boolean('Whether it is ready.'),
  started: boolean('Whether it has started.', { nullable: true }),
  restartCount: integer('How often it was restarted.'),
  state: containerState,
  lastState: containerState,
  resources: openObject('What it was given.'),
  allocatedResources: map('What it was promised.', quantity('How much.')),
  allocatedResourcesStatus: list('Health of its devices.', openObject('A device.')),
  volumeMounts: list('What is mounted.', openObject('A mount.')),
  user: openObject('User that it runs as.'),
  stopSignal: string('Signal that ends it.'),
});
