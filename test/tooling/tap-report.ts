/** What a run of tests came to, in tap's own count of assertions. */
export interface TapTotals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Reads tap's raw output line by line and retells it: one line for a test file that passed, all that it said for one
 * that failed, and what was skipped, since nothing is left out in silence.
 */
export class TapReport {
  readonly #print: (line: string) => void;
  #block: string[] = [];
  #totals: TapTotals | undefined;
  #failedFiles = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  line(text: string): void {
    const totals = /^# (\{ total: .*\})$/.exec(text)?.[1];
    if (totals !== undefined) {
      this.#totals = { passed: count(totals, 'pass'), failed: count(totals, 'fail'), skipped: count(totals, 'skip') };
      return;
    }
    const skipped = /^\s*ok \d+ - (.* # SKIP.*)$/.exec(text)?.[1];
    if (skipped !== undefined) this.#print(`skipped: ${skipped}`);
    this.#block.push(text);
    const file = /^(not )?ok \d+ - (.*)$/.exec(text);
    if (file === null) return;
    if (file[1] === undefined) this.#print(`ok ${file[2]}`);
    else for (const line of this.#block) this.#print(line);
    if (file[1] !== undefined) this.#failedFiles++;
    this.#block = [];
  }

  /** The totals, once tap has ended. A run that ended badly has failed, whatever it counted. */
  end(exitCode: number | null): TapTotals {
    for (const line of this.#block) this.#print(line);
    this.#block = [];
    const { passed, failed, skipped } = this.#totals ?? { passed: 0, failed: 0, skipped: 0 };
    const least = Math.max(this.#failedFiles, exitCode === 0 && this.#totals !== undefined ? 0 : 1);
    return { passed, failed: Math.max(failed, least), skipped };
  }
}

function count(totals: string, name: string): number {
  return Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals)?.[1] ?? 0);
}
