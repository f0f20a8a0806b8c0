import { readFile, statfs } from 'node:fs/promises';
import { arch, availableParallelism, hostname, networkInterfaces, release, totalmem } from 'node:os';
import { join } from 'node:path';

/** What is true of the machine that an agent runs on. */
export interface NodeFacts {
  readonly hostname: string;
  /** As Go and Kubernetes name it: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Of the file system that the agent's data lies on. */
  readonly diskBytes: number;
  /** Addresses that others may reach it by: neither loopback nor link-local, IPv4 first. */
  readonly addresses: readonly string[];
  readonly kernelVersion: string;
  /** `PRETTY_NAME` of os-release(5); empty where there is none. */
  readonly osImage: string;
  readonly machineId: string;
  readonly bootId: string;
  /** The vendor's number of the machine, where the agent may read it. */
  readonly systemUuid: string;
}

export interface NodeFactsOptions {
  /** A folder on the file system whose size counts. */
  readonly data: string;
  /** Where files such as `etc/os-release` are read. Default `/`. */
  readonly root?: string;
}

/** Kubernetes' names of Node's architectures, where they differ. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** Reads the facts anew each time; what cannot be read is empty or 0. */
export async function readNodeFacts({ data, root = '/' }: NodeFactsOptions): Promise<NodeFacts> {
  const text = async (path: string): Promise<string> => {
    try {
      return (await readFile(join(root, path), 'utf8')).trim();
    } catch {
      return '';
    }
  };
  return {
    hostname: hostname().toLowerCase(),
    architecture: architectures[arch()] ?? arch(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes: await sizeOf(data),
    addresses: ownAddresses(),
    kernelVersion: release(),
    osImage: prettyName(await text('etc/os-release')),
    machineId: await text('etc/machine-id'),
    bootId: await text('proc/sys/kernel/random/boot_id'),
    systemUuid: await text('sys/class/dmi/id/product_uuid'),
  };
}

function ownAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const others = all.filter(({ internal, address }) => !internal && !/^(?:169\.254\.|fe80:)/iu.test(address));
  const of = (family: string): string[] => others.filter((one) => one.family === family).map(({ address }) => address);
  return [...of('IPv4'), ...of('IPv6')];
}

async function sizeOf(folder: string): Promise<number> {
  try {
    const { blocks, bsize } = await statfs(folder);
    return blocks * bsize;
  } catch {
    return 0;
  }
}

function prettyName(osRelease: string): string {
  const [, value = ''] = /^PRETTY_NAME=(.*)$/mu.exec(osRelease) ?? [];
  return value.replace(/^(["'])(.*)\1$/u, '$2');
}
