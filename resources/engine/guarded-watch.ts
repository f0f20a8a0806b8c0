import type { CodedError } from '../../base/index.ts';
import type { Access } from '../access.ts';
import type { ObjectWatch, WatchEvent } from '../collection/collection.ts';

/**
 * Opens a watch whose right is asked about again whenever that may have changed: `check` tells why it is to end, or undefined.
 * The reader is woken then, and told at its next `read`. `open` is called at once; what it decided by has not been changed unnoticed.
 */
export async function guardedWatch(
  access: Access,
  check: () => CodedError | undefined,
  wake: () => void,
  open: () => Promise<ObjectWatch>,
): Promise<ObjectWatch> {
  if (access.onChange === undefined) return await open();
  let reason: CodedError | undefined;
  let isOpen = false;
  const unfollow = access.onChange(() => {
    reason ??= check();
    if (isOpen && reason !== undefined) wake();
  });
  try {
    const watch = await open();
    isOpen = true;
    return new GuardedWatch(watch, () => reason, unfollow);
  } catch (error) {
    unfollow();
    throw error;
  }
}

class GuardedWatch implements ObjectWatch {
  readonly #watch: ObjectWatch;
  readonly #reason: () => CodedError | undefined;
  readonly #unfollow: () => void;

  constructor(watch: ObjectWatch, reason: () => CodedError | undefined, unfollow: () => void) {
    this.#watch = watch;
    this.#reason = reason;
    this.#unfollow = unfollow;
  }

  read(limit: number): readonly WatchEvent[] {
    const reason = this.#reason();
    if (reason !== undefined) throw reason;
    return this.#watch.read(limit);
  }

  get version(): number {
    return this.#watch.version;
  }

  get isInitialDone(): boolean {
    return this.#watch.isInitialDone;
  }

  close(): void {
    this.#unfollow();
    this.#watch.close();
  }
}
