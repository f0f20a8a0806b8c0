import { open, readFile, rename } from 'node:fs/promises';
import { codeOf, validate, z } from '../../base/index.ts';
import { gatewayError } from '../gateway-error.ts';
import type { EdgeBan } from './edge-ban.ts';

const denialSchema = z.strictObject({
  edge: z.string(),
  /** Who denied it. */
  by: z.string(),
  reason: z.string(),
  since: z.iso.datetime(),
});

export type EmergencyDenial = z.output<typeof denialSchema>;

const fileSchema = z.strictObject({ version: z.literal(1), denied: z.array(denialSchema) });

/**
 * Edges that this replica keeps out whatever the store says, and whether it answers or not: in memory, and in a file that brings
 * them over a restart. Each replica has its own.
 */
export class EmergencyDenials implements EdgeBan {
  readonly #file: string;
  readonly #denied: Map<string, EmergencyDenial>;
  readonly #listeners: ((edges: readonly string[]) => void)[] = [];
  #writing: Promise<void> = Promise.resolve();

  /** Throws `emergency-file-invalid`: who was denied would be let in. */
  static async open(file: string): Promise<EmergencyDenials> {
    return new EmergencyDenials(file, await read(file));
  }

  private constructor(file: string, denied: readonly EmergencyDenial[]) {
    this.#file = file;
    this.#denied = new Map(denied.map((denial) => [denial.edge, denial]));
  }

  get all(): readonly EmergencyDenial[] {
    return [...this.#denied.values()];
  }

  denies(edge: string): boolean {
    return this.#denied.has(edge);
  }

  onChange(listener: (edges: readonly string[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes effect before it returns. Resolves with whether it will survive a restart. */
  deny(denial: EmergencyDenial): Promise<boolean> {
    this.#denied.set(denial.edge, denial);
    return this.#changed(denial.edge);
  }

  /** Undefined: it was not denied here. Resolves with whether a restart will not bring it back. */
  lift(edge: string): Promise<boolean> | undefined {
    return this.#denied.delete(edge) ? this.#changed(edge) : undefined;
  }

  async #changed(edge: string): Promise<boolean> {
    for (const listener of this.#listeners) listener([edge]);
    const written = this.#writing.then(() => write(this.#file, this.all));
    this.#writing = written.catch(() => undefined);
    return await written.then(
      () => true,
      () => false,
    );
  }
}

async function read(file: string): Promise<readonly EmergencyDenial[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return [];
    throw gatewayError('emergency-file-invalid', { detail: file, cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw gatewayError('emergency-file-invalid', { detail: file, cause });
  }
  const result = validate(fileSchema, value);
  if ('value' in result) return result.value.denied;
  throw gatewayError('emergency-file-invalid', { detail: `${file}: ${result.problems[0]?.message}` });
}

/** Whole or not at all: a power cut leaves the old file or the new one. */
async function write(file: string, denied: readonly EmergencyDenial[]): Promise<void> {
  const fresh = `${file}.new`;
  {
    await using handle = await open(fresh, 'w', 0o600);
    await handle.writeFile(JSON.stringify({ version: 1, denied }));
    await handle.sync();
  }
  await rename(fresh, file);
}
