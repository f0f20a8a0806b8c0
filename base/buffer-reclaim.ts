import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const LOOK_MS = 100;
const LOOKS = 10;
const GARBAGE_BYTES = 8 * 1024 * 1024;

/**
 * Keeps dead buffers from piling up. V8 weighs what a buffer holds outside its heap for little and collects only after some
 * 64 MiB of it, so a process that moves data swings by that much whatever it really keeps. This looks ten times a second
 * and, where buffers hold 8 MiB more than at their least in the last second, collects the young generation, which most of
 * them never leave: about a millisecond. Returns what ends it. The timer keeps no process alive.
 */
export function reclaimBuffers(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
  const levels: number[] = [];
  const timer = setInterval(() => {
    const level = getHeapStatistics().external_memory;
    if (levels.push(level) > LOOKS) levels.shift();
    if (level - Math.min(...levels) >= GARBAGE_BYTES) collect({ type: 'minor' });
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
