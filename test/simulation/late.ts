/**
 * A promise that the simulation keeps by hand: its followers run at once, at virtual time, and not in a microtask, so that
 * a run stays deterministic and synchronous.
 */
export class Late<T> extends Promise<T> {
  #follow: ((value: T) => unknown) | undefined;

  static create<T>(): Late<T> {
    return new Late<T>(() => {});
  }

  override then<A = T, B = never>(kept?: ((value: T) => A | PromiseLike<A>) | null): Promise<A | B> {
    this.#follow = kept ?? undefined;
    return new Promise(() => {});
  }

  keep(value: T): void {
    this.#follow?.(value);
  }
}
