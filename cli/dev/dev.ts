import { untilSignal } from '../../base/index.ts';
import type { CommandInput, CommandSpec } from '../command-line.ts';
import { print } from '../terminal.ts';
import { DevFleet } from './dev-fleet.ts';
import { planDev } from './dev-plan.ts';
import { findFreePorts } from './local-ports.ts';
import { nextSteps } from './next-steps.ts';
import { lock } from './state-file.ts';

export const devCommand: CommandSpec = {
  name: 'dev',
  summary: 'run a whole fleet on this machine: CA, store, replicas, edges with demo services',
  options: [
    { flags: '--dir DIR', help: 'where everything is kept', default: './.causeway-dev' },
    { flags: '--edges N', help: 'edges, edge-1 and so on', default: '2' },
    { flags: '--sites N', help: 'sites', default: '1' },
    { flags: '--replicas N', help: 'replicas in each site', default: '1' },
    {
      flags: '--store STORE',
      help: 'what replicas agree by (default: embedded; etcd with more than one replica)',
      choices: ['embedded', 'etcd'],
    },
    { flags: '--etcd URLS', help: 'an etcd that runs already' },
    {
      flags: '--api-port PORT',
      help: "the first replica's API; links are on the port above, the public listener on the next; 0 takes free ports",
      default: '8440',
    },
    { flags: '--driver DRIVER', help: 'what runs virtual machines', choices: ['qemu', 'none'], default: 'none' },
    {
      flags: '--restart WHEN',
      help: 'whether a process that was killed starts again, after 5 s',
      choices: ['always', 'never'],
      default: 'always',
    },
  ],
  notes: 'Prints a line `ready` when all edges are registered. What runs, and where, is in DIR/state.json.',
  examples: ['dev', 'dev --edges 5 --api-port 9440', 'dev --dir /tmp/fleet --api-port 0'],
  run: dev,
};

async function dev(input: CommandInput): Promise<void> {
  // Listens from the first moment: whatever has been started until a signal comes is ended again.
  const signal = untilSignal(['SIGINT', 'SIGTERM', 'SIGHUP']);
  const plan = await planDev(input, findFreePorts);
  const unlock = lock(plan.files.lock);
  const fleet = new DevFleet(plan, (text) => print(`${text}\n`));
  try {
    const started = fleet.start();
    // When a signal comes first, what the start then fails with is no news.
    started.catch(() => undefined);
    if ((await Promise.race([started, signal])) !== undefined) return;
    print(`${nextSteps(plan)}ready\n`);
    await signal;
  } finally {
    await fleet.stop();
    unlock();
  }
}
