import { readFileSync } from 'node:fs';

const MIB = 1024 * 1024;

/** A process's resident memory, in bytes. */
export function rss(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

/** How a process's memory went, in MiB. */
export interface MemoryReport {
  readonly idle: number;
  readonly firstHalfMax: number;
  readonly secondHalfMax: number;
  /** Ten values, each the maximum of a tenth of the time. */
  readonly curve: readonly number[];
}

/** Looks at the memory of processes ten times a second, from now until it is asked. */
export class MemoryCurve {
  readonly #samples = new Map<string, number[]>();
  readonly #timer: NodeJS.Timeout;

  constructor(pids: Readonly<Record<string, number>>) {
    const look = (): void => {
      for (const [name, pid] of Object.entries(pids)) this.#samples.get(name)?.push(rss(pid) / MIB);
    };
    for (const name of Object.keys(pids)) this.#samples.set(name, []);
    look();
    this.#timer = setInterval(look, 100);
  }

  /** Ends it. */
  stop(): Readonly<Record<string, MemoryReport>> {
    clearInterval(this.#timer);
    return Object.fromEntries([...this.#samples].map(([name, samples]) => [name, reportOf(samples)]));
  }
}

function reportOf(samples: readonly number[]): MemoryReport {
  const max = (from: number, to: number): number =>
    Math.round(Math.max(...samples.slice(Math.floor(from * samples.length), Math.max(1, Math.ceil(to * samples.length)))));
  return {
    idle: Math.round(samples[0] ?? 0),
    firstHalfMax: max(0, 0.5),
    secondHalfMax: max(0.5, 1),
    curve: Array.from({ length: 10 }, (_, index) => max(index / 10, (index + 1) / 10)),
  };
}
