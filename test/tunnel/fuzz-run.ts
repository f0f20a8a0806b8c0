/** Hostile frames by the million: `node fuzz-run.ts --frames N --seed S`. */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: { frames: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const startedAt = performance.now();
const { frames, reasons, echoed, problems } = fuzz(Number(values.frames), Number(values.seed));
const seconds = (performance.now() - startedAt) / 1000;
console.log(`${frames} frames in ${seconds.toFixed(1)} s, ${echoed} bytes echoed beside them`);
console.log(
  `heap ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB, buffers ${Math.round(process.memoryUsage().external / 1e6)} MB`,
);
for (const [reason, count] of reasons) console.log(`${reason}: ${count} links`);
for (const problem of problems) console.log(`PROBLEM: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
