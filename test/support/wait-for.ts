export interface WaitOptions {
  /** Default 10,000. */
  readonly deadlineMs?: number;
  /** Between looks. Default 5. */
  readonly everyMs?: number;
}

/**
 * Waits until `look` returns something that is true and returns it. After the deadline it throws, with the description
 * and what the last look came to; what `look` throws counts as not yet.
 */
export async function waitFor<T>(
  description: string,
  look: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 5 }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await look();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${deadlineMs} ms for: ${description}; last: ${String(last)}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** The same promise, or a failure that says what did not happen in time. */
export async function within<T>(description: string, promise: Promise<T>, deadlineMs = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms for: ${description}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
