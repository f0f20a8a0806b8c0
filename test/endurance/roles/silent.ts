import type { Ports } from '../../support/fleet-access.ts';
import { roleOptions, serveRole } from '../role.ts';
import { silentSteps, type SilentCredentials, type SilentStep } from '../silent-steps.ts';

export interface SilentOptions {
  readonly ports: Ports;
  readonly credentials: SilentCredentials;
}

/** On their way at once: a listener's queue for TCP is not what is tried here. */
const OPENING = 64;

const { ports, credentials } = roleOptions() as SilentOptions;
const steps = new Map((await silentSteps(credentials)).map((step) => [`${step.listener}, ${step.name}`, step]));

const commands = {
  /** Opens connections as far as each step goes, and waits until they have been cut: how long each one stood. */
  stay: async ({ steps: names, peers }: { readonly steps: readonly string[]; readonly peers: number }) => {
    const stood = names.map((name) => {
      const step = steps.get(name);
      if (step === undefined) throw new Error(`no step ${name}`);
      return stay(step, peers);
    });
    return (await Promise.all(stood)).flat();
  },
};

export type SilentRole = typeof commands;

async function stay({ listener, open }: SilentStep, peers: number): Promise<number[]> {
  const cuts: Promise<number>[] = [];
  const opener = async (): Promise<void> => {
    while (cuts.length < peers) {
      const begin = performance.now();
      const { socket, ready } = open(ports[listener]);
      const cut = new Promise<number>((resolve) => {
        socket.once('close', () => resolve(performance.now() - begin));
      });
      cuts.push(cut);
      // It may be cut before it is as far.
      await Promise.race([ready.catch(() => undefined), cut]);
    }
  };
  await Promise.all(Array.from({ length: OPENING }, opener));
  return await Promise.all(cuts);
}

serveRole([...steps.keys()], commands);
