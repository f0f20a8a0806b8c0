import type { EdgeLinkRecord } from './presence.ts';

/** A replica's own link to an edge. */
interface OwnReach {
  readonly epoch: number;
  readonly turn: number;
}

/**
 * The ways to an edge, best first: the replica with its active link, then those with another one. `holders` are those of its newest
 * instance, best first; the own link counts by what is known here, which is newer than what the store has of it.
 */
export function waysTo(
  own: OwnReach | undefined,
  holders: readonly (EdgeLinkRecord & { readonly replica: string })[],
  self: string,
): readonly string[] {
  const others = holders.filter(({ replica, epoch }) => replica !== self && (own === undefined || epoch >= own.epoch));
  const all = own === undefined ? others : [...others, { ...own, replica: self }];
  return all
    .toSorted(
      (one, other) =>
        other.epoch - one.epoch ||
        other.turn - one.turn ||
        Number(other.replica === self) - Number(one.replica === self),
    )
    .map(({ replica }) => replica);
}
