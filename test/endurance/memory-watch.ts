import { readFileSync } from 'node:fs';

const EVERY_MS = 50;

/** A process's resident memory now, in bytes; 0 when it has ended. */
export function rssOf(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** The most memory that processes held between its making and `stop`, in bytes. */
export class MemoryWatch {
  readonly #most = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  readonly #look: () => void;

  constructor(pids: Readonly<Record<string, number>>) {
    this.#look = () => {
      for (const [name, pid] of Object.entries(pids))
        this.#most.set(name, Math.max(this.#most.get(name) ?? 0, rssOf(pid)));
    };
    this.#timer = setInterval(this.#look, EVERY_MS);
  }

  stop(): Readonly<Record<string, number>> {
    clearInterval(this.#timer);
    this.#look();
    return Object.fromEntries(this.#most);
  }
}
