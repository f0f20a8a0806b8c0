import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from './clock.ts';
import { repeat } from './repeat.ts';

/** Who replaces several files has this long from one to the next. */
const SETTLE_MS = 300;
/** Where the system tells of no changes, as on some network file systems, they are looked for this often. */
const LOOK_EVERY_MS = 60_000;

/**
 * Calls `look` when files in the folders of these files have changed, a moment after the last change, and every minute besides. The
 * folders are watched, since files are replaced by rename. `look` finds out whether anything it uses is different.
 */
export function watchFiles(clock: Clock, files: readonly string[], look: () => void): Timer {
  let settling: Timer | undefined;
  const watchers = [...new Set(files.map((file) => dirname(file)))].flatMap((folder) => {
    try {
      const watcher: FSWatcher = watch(folder, { persistent: false }, () => {
        settling?.cancel();
        settling = clock.after(SETTLE_MS, look);
      });
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      // A folder that is not there, or a system without watches: looking now and then finds it.
      return [];
    }
  });
  const looking = repeat(clock, LOOK_EVERY_MS, look, () => undefined);
  return {
    cancel() {
      settling?.cancel();
      looking.cancel();
      for (const watcher of watchers) watcher.close();
    },
  };
}
