import { readFileSync } from 'node:fs';

const MIB = 1024 * 1024;

/** A process's resident memory, in bytes. */
export function rss(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

/** How a process's memory went, in MiB. */
export interface MemoryReport {
  readonly max: number;
  /** Ten values, each the maximum of a tenth of the time. */
  readonly curve: readonly number[];
}

/** Looks at the memory of processes ten times a second, from now until it is asked. */
export class MemoryCurve<Name extends string> {
  readonly #samples: readonly { readonly name: Name; readonly pid: number; readonly mib: number[] }[];
  readonly #timer: NodeJS.Timeout;

  constructor(pids: Readonly<Record<Name, number>>) {
    const names = Object.keys(pids) as Name[];
    this.#samples = names.map((name) => ({ name, pid: pids[name], mib: [] }));
    this.#look();
    this.#timer = setInterval(() => this.#look(), 100);
  }

  /** Ends it. */
  stop(): Readonly<Record<Name, MemoryReport>> {
    clearInterval(this.#timer);
    this.#look();
    return Object.fromEntries(this.#samples.map(({ name, mib }) => [name, reportOf(mib)])) as Record<
      Name,
      MemoryReport
    >;
  }

  #look(): void {
    for (const { pid, mib } of this.#samples) mib.push(rss(pid) / MIB);
  }
}

function reportOf(samples: readonly number[]): MemoryReport {
  const maxFrom = (from: number, to: number): number =>
    Math.round(
      Math.max(...samples.slice(Math.floor(from * samples.length), Math.max(1, Math.ceil(to * samples.length)))),
    );
  return { max: maxFrom(0, 1), curve: Array.from({ length: 10 }, (_, index) => maxFrom(index / 10, (index + 1) / 10)) };
}
