import type { Metrics } from '../../base/index.ts';

/** Counts where reads of Kubernetes APIs are answered, and the watches that are open. */
export interface ReadCounts {
  read(mode: string, outcome: string): void;
  /** A watch was opened; call what comes back when it ends. */
  watch(mode: string): () => void;
}

export function registerReadCounts(metrics: Metrics): ReadCounts {
  const reads = metrics.counter({
    name: 'causeway_kube_reads',
    help: 'Reads of Kubernetes APIs of edges, by mode and by what came of it: a hit, or why the edge was asked',
    labels: ['mode', 'outcome'],
  });
  const watches = metrics.gauge({
    name: 'causeway_kube_watches',
    help: 'Open watches that are served from memory, by mode',
    labels: ['mode'],
  });
  return {
    read: (mode, outcome) => reads.add(1, { mode, outcome }),
    watch: (mode) => {
      let isOpen = true;
      watches.add(1, { mode });
      return () => {
        if (isOpen) watches.add(-1, { mode });
        isOpen = false;
      };
    },
  };
}
