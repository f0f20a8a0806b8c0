/** More ids than this are not told apart any more: it is a demonstration, and its memory is bounded. */
const MAX_IDS = 1_000_000;
const MAX_ID_CHARACTERS = 256;

/** Counts how often each id came: a way to see whether a request was executed twice, or not at all. */
export class Counter {
  readonly #counts = new Map<string, number>();
  #total = 0;

  /** How often the id has come now; undefined when it is no id, or there are too many. */
  add(id: string): number | undefined {
    const before = this.#counts.get(id);
    if (id === '' || id.length > MAX_ID_CHARACTERS || (before === undefined && this.#counts.size >= MAX_IDS))
      return undefined;
    this.#counts.set(id, (before ?? 0) + 1);
    this.#total++;
    return (before ?? 0) + 1;
  }

  of(id: string): number {
    return this.#counts.get(id) ?? 0;
  }

  /** `total` requests, and how often each id came. */
  get all(): { readonly total: number; readonly counts: Readonly<Record<string, number>> } {
    return { total: this.#total, counts: Object.fromEntries(this.#counts) };
  }
}

/** The id that a request gives: `?id=a`, `{"id":"a"}`, or the body itself. */
export function idOf(query: URLSearchParams, body: string): string {
  const asked = query.get('id');
  if (asked !== null) return asked;
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'id' in parsed) return String(parsed.id);
    return typeof parsed === 'string' ? parsed : body.trim();
  } catch {
    return body.trim().replace(/^id=/u, '');
  }
}
