/** Overrules the whitelist: what keeps an edge out although its object allows it. */
export interface EdgeBan {
  denies(edge: string): boolean;
  /** Called after changes with the edges that they are about; none: they are about others, keys or certificates. */
  onChange(listener: (edges: readonly string[]) => void): void;
}
