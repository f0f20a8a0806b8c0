import type { NodeFacts } from './node-facts.ts';

/** A Node as this agent writes it: `spec` is whoever's who administers it, and not touched. */
export interface NodeReport {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: Readonly<Record<string, unknown>>;
}

/** Kept for the system itself, as a kubelet keeps some: what may be given to Pods and VMs is the rest. */
const RESERVED_MEMORY_BYTES = 100 * 1024 * 1024;
const MAX_PODS = 110;

/** The node as Kubernetes describes a machine. `readySince` is when it became ready, `now` when this is reported. */
export function nodeReport(facts: NodeFacts, agentVersion: string, readySince: string, now: string): NodeReport {
  const resources = (memoryBytes: number): Readonly<Record<string, string>> => ({
    'cpu': String(facts.cores),
    'memory': kibibytes(memoryBytes),
    'ephemeral-storage': kibibytes(facts.diskBytes),
    'pods': String(MAX_PODS),
  });
  return {
    labels: {
      'kubernetes.io/arch': facts.architecture,
      'kubernetes.io/hostname': facts.hostname,
      'kubernetes.io/os': 'linux',
    },
    status: {
      capacity: resources(facts.memoryBytes),
      allocatable: resources(Math.max(0, facts.memoryBytes - RESERVED_MEMORY_BYTES)),
      addresses: [
        ...facts.addresses.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: facts.hostname },
      ],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'AgentReady',
          message: 'the agent runs',
          lastHeartbeatTime: now,
          lastTransitionTime: readySince,
        },
      ],
      nodeInfo: {
        architecture: facts.architecture,
        bootID: facts.bootId,
        containerRuntimeVersion: '',
        kernelVersion: facts.kernelVersion,
        kubeProxyVersion: '',
        kubeletVersion: `causeway-${agentVersion}`,
        machineID: facts.machineId,
        operatingSystem: 'linux',
        osImage: facts.osImage,
        systemUUID: facts.systemUuid,
      },
    },
  };
}

function kibibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024)}Ki`;
}
