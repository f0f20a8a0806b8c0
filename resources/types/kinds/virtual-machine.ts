import type { ObjectSchema, PrinterColumn, ResourceType } from '../resource-type.ts';
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
import { ageColumn } from '../table-columns.ts';
import { builtInType, column, wideColumn } from './built-in-type.ts';
import { resourceNeeds } from './container-schema.ts';

const disk = openObject('A disk: how the guest sees it.', {
  properties: {
    name: string('Name of its volume.'),
    bootOrder: integer('Place in the order of boot, from 1.', { minimum: 1 }),
    serial: string('Serial number.'),
    cache: string('How writes are cached.'),
    io: string('How the host reads and writes.'),
    disk: openObject('A plain disk.'),
    cdrom: openObject('A drive with a disc.'),
    lun: openObject('A disk that is passed through.'),
  },
  required: ['name'],
});

const networkInterface = openObject('A network card.', {
  properties: {
    name: string('Name of its network.'),
    model: string('What the guest sees: virtio, e1000 and others.'),
    macAddress: string('Its address.'),
    bootOrder: integer('Place in the order of boot, from 1.', { minimum: 1 }),
    ports: list('Ports that are forwarded.', openObject('A port.')),
    bridge: openObject('Connected by a bridge.'),
    masquerade: openObject('Connected behind the address of the host.'),
    sriov: openObject('A part of a card of the host.'),
    passt: openObject('Connected without rights on the host.'),
    binding: openObject('Connected by a plug-in.'),
    state: string('up, down or absent.'),
  },
  required: ['name'],
});

const domain = object(
  'The machine as the guest sees it.',
  {
    cpu: object('Processors.', {
      cores: integer64('Cores of a socket.', { minimum: 1 }),
      sockets: integer64('Sockets.', { minimum: 1 }),
      maxSockets: integer64('Sockets that there may become.', { minimum: 1 }),
      threads: integer64('Threads of a core.', { minimum: 1 }),
      model: string('What the guest sees: host-model, host-passthrough or a name.'),
      features: list('Features of the processor.', openObject('A feature.')),
      dedicatedCpuPlacement: boolean('Whether the processors are its own.'),
      isolateEmulatorThread: boolean('Whether the emulator has a processor of its own.'),
      numa: openObject('How memory belongs to processors.'),
      realtime: openObject('For guests that must be in time.'),
    }),
    memory: object('Memory.', {
      guest: quantity('What the guest sees.'),
      maxGuest: quantity('What it may become.'),
      hugepages: openObject('Whether it lies in huge pages.'),
      reservedOverhead: openObject('What is kept for the emulator.'),
    }),
    resources: resourceNeeds('What the host has to give.'),
    machine: object('Machine type.', { type: string('q35, virt and others.') }),
    firmware: openObject('BIOS or UEFI.', {
      properties: {
        uuid: string('Identity that the guest sees.'),
        serial: string('Serial number that the guest sees.'),
        bootloader: openObject('BIOS or UEFI.'),
        kernelBoot: openObject('A kernel that is booted without a boot loader.'),
      },
    }),
    devices: openObject('Disks, network cards and other devices.', {
      properties: {
        disks: list('Disks.', disk),
        interfaces: list('Network cards.', networkInterface),
        networkInterfaceMultiqueue: boolean('Whether network cards have a queue a processor.'),
        blockMultiQueue: boolean('Whether disks have a queue a processor.'),
        autoattachPodInterface: boolean('Whether there is a network card by default.'),
        autoattachGraphicsDevice: boolean('Whether there is a screen by default.'),
        autoattachSerialConsole: boolean('Whether there is a serial console by default.'),
        autoattachMemBalloon: boolean('Whether memory can be given back.'),
        logSerialConsole: boolean('Whether what the serial console prints is kept.'),
        rng: openObject('A source of random numbers.'),
        watchdog: openObject('A watchdog.'),
        gpus: list('Graphics processors.', openObject('A processor.')),
        hostDevices: list('Devices of the host.', openObject('A device.')),
        inputs: list('Keyboards and tablets.', openObject('An input.')),
        filesystems: list('Folders that are shared with the guest.', openObject('A folder.')),
        tpm: openObject('A trusted platform module.'),
      },
    }),
    clock: openObject('Clock and timers.'),
    features: openObject('ACPI, APIC and other features.'),
    chassis: openObject('What the guest is told about its case.'),
    ioThreads: openObject('Threads for disks.'),
    ioThreadsPolicy: string('How disks share threads.'),
    launchSecurity: openObject('Encryption of memory.'),
    rebootPolicy: string('What a reboot from inside does.'),
  },
  { required: ['devices'] },
);

const instanceFields = {
  domain,
  volumes: listByKey(
    'What disks hold.',
    'name',
    openObject('A volume: its name, and where it comes from.', {
      properties: { name: string('Name by which disks take it.') },
      required: ['name'],
    }),
  ),
  networks: listByKey(
    'What network cards are connected to.',
    'name',
    openObject('A network: its name, and which it is.', {
      properties: { name: string('Name by which network cards take it.') },
      required: ['name'],
    }),
  ),
  hostname: string('Host name of the guest.'),
  subdomain: string('Domain of the host name.'),
  nodeSelector: map('Labels of nodes that it may run on.', string('A value.')),
  affinity: openObject('Rules about nodes and others that it wants to be near to or far from.'),
  tolerations: list('Taints of nodes that it bears.', openObject('A taint, or several.')),
  topologySpreadConstraints: list('How machines are spread over nodes and zones.', openObject('A rule.')),
  schedulerName: string('Who chooses the node.'),
  priorityClassName: string('Name of a class with a priority.'),
  architecture: string('amd64, arm64.'),
  evictionStrategy: string('What happens when its node is cleared.'),
  startStrategy: string('Paused: it starts and stops at once.'),
  terminationGracePeriodSeconds: integer64('Seconds that a shutdown may take.', { minimum: 0 }),
  livenessProbe: openObject('When it is to be restarted.'),
  readinessProbe: openObject('When it is ready.'),
  accessCredentials: list('Keys and passwords that are given to the guest.', openObject('A credential.')),
  dnsPolicy: string('Where names are looked up.'),
  dnsConfig: openObject('More servers, domains and options for looking names up.'),
  resourceClaims: list('Devices that it needs.', openObject('A claim.')),
  utilityVolumes: list('Volumes that the guest does not see.', openObject('A volume.')),
};

const instanceSpec = (description: string): ObjectSchema =>
  object(description, instanceFields, { required: ['domain'] });

const readyColumn = column('Ready', 'Whether it is ready.', `.status.conditions[?(@.type=='Ready')].status`);

const machineColumns: readonly PrinterColumn[] = [
  ageColumn,
  column('Status', 'What it does, as people say it.', '.status.printableStatus'),
  readyColumn,
];

const instanceColumns: readonly PrinterColumn[] = [
  ageColumn,
  column('Phase', 'How far it has come.', '.status.phase'),
  column('IP', 'Its first address.', '.status.interfaces[0].ipAddress'),
  column('NodeName', 'Node that it runs on.', '.status.nodeName'),
  readyColumn,
  wideColumn('Live-Migratable', 'Whether it can move while it runs.', conditionPath('LiveMigratable')),
  wideColumn('Paused', 'Whether it is stopped for now.', conditionPath('Paused')),
];

function conditionPath(type: string): string {
  return `.status.conditions[?(@.type=='${type}')].status`;
}

export const machineType = builtInType({
  group: 'kubevirt.io',
  version: 'v1',
  resource: 'virtualmachines',
  kind: 'VirtualMachine',
  shortNames: ['vm', 'vms'],
  categories: ['all'],
  namespaced: true,
  hasStatus: true,
  description: 'A virtual machine that is kept, whether it runs or not.',
  fields: {
    spec: object(
      'What is wished.',
      {
        running: boolean('Whether it runs. Not together with runStrategy.', { nullable: true }),
        runStrategy: string(
          'When it runs: Always, RerunOnFailure, Manual, Once or Halted. Not together with running.',
          {
            enum: ['Always', 'RerunOnFailure', 'Manual', 'Once', 'Halted', 'WaitAsReceiver'],
          },
        ),
        template: object(
          'The instance that it runs as.',
          {
            metadata: openObject('Labels and annotations of the instance.', { nullable: true }),
            spec: instanceSpec('The instance.'),
          },
          { required: ['spec'] },
        ),
        instancetype: openObject('Size that it has by name.'),
        preference: openObject('Preferences that it has by name.'),
        dataVolumeTemplates: list('Volumes that are made with it.', openObject('A volume.')),
        updateVolumesStrategy: string('What a change of its volumes does.'),
      },
      { required: ['template'] },
    ),
    status: openObject('What is.', {
      properties: {
        created: boolean('Whether an instance was made.'),
        ready: boolean('Whether the instance is ready.'),
        printableStatus: string('What it does: Stopped, Starting, Running, Paused, Stopping and others.'),
        runStrategy: string('The strategy that is followed.'),
        conditions: conditions('What holds of it.'),
        observedGeneration: integer64('The generation that this was found for.'),
        desiredGeneration: integer64('The generation that is wished.'),
        startFailure: openObject('Why it did not start, how often, and when it is tried again.', { nullable: true }),
        stateChangeRequests: list('What it was asked for.', openObject('A wish.')),
        volumeSnapshotStatuses: list('Which volumes can be copied.', openObject('A volume.')),
      },
    }),
  },
  required: ['spec'],
  columns: machineColumns,
});

export const machineInstanceType = builtInType({
  group: 'kubevirt.io',
  version: 'v1',
  resource: 'virtualmachineinstances',
  kind: 'VirtualMachineInstance',
  shortNames: ['vmi', 'vmis'],
  categories: ['all'],
  namespaced: true,
  hasStatus: true,
  description: 'A virtual machine that runs.',
  fields: {
    spec: instanceSpec('What is wished.'),
    status: openObject('What is.', {
      properties: {
        phase: string('Pending, Scheduling, Scheduled, Running, Succeeded, Failed or Unknown.'),
        reason: string('Why, one word.'),
        nodeName: string('Node that it runs on.'),
        conditions: conditions('What holds of it.'),
        interfaces: list('Its network cards as they are.', openObject('A network card.')),
        volumeStatus: list('Its volumes as they are.', openObject('A volume.')),
        guestOSInfo: openObject('What the guest says of itself.'),
        memory: openObject('Its memory as it is.'),
        currentCPUTopology: openObject('Its processors as they are.'),
        machine: openObject('Its machine type as it is.'),
        migrationState: openObject('Where it is moving to.'),
        migrationMethod: string('How it would move.'),
        qosClass: string('Guaranteed, Burstable or BestEffort.'),
        activePods: map('Pods that it runs in.', string('A node.')),
        runtimeUser: integer64('User that the emulator runs as.'),
        virtualMachineRevisionName: string('State of the machine that it was made from.'),
        phaseTransitionTimestamps: list(
          'When it came to which phase.',
          object('A phase.', { phase: string('The phase.'), phaseTransitionTimestamp: time('When.') }),
        ),
      },
    }),
  },
  required: ['spec'],
  columns: instanceColumns,
});

/** What VM control needs of `kubevirt.io/v1`. */
export const machineTypes: readonly ResourceType[] = [machineType, machineInstanceType];
