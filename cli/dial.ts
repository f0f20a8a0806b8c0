import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { isDnsLabel } from '../base/index.ts';
import { cliError } from './cli-error.ts';
import { clientOption, withFleet } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { parseDialTarget } from './forward-spec.ts';

export const dialCommand: CommandSpec = {
  name: 'dial',
  summary: 'connect the standard input and output to a service or address of an edge',
  arguments: ['<EDGE>', '<SERVICE-or-HOST:PORT>'],
  options: [clientOption],
  notes: `The end of the input closes that direction only; it ends when the far side ends. As ssh's ProxyCommand, where the edge has a
service \`ssh\`:  ssh -o ProxyCommand='causeway dial %h ssh' edge-1`,
  examples: ['dial edge-1 echo', 'dial edge-1 10.0.0.7:22'],
  run: dial,
};

/** When the far side has ended, what was still on its way there gets this long to arrive. */
const LINGER_MS = 2000;

async function dial(input: CommandInput): Promise<void> {
  const edge = input.argument(0);
  if (!isDnsLabel(edge)) throw cliError('usage', `${JSON.stringify(edge)} is no name of an edge`);
  const to = parseDialTarget(input.argument(1));
  await withFleet(input, (fleet) => join(fleet.edge(edge).dial(to)));
}

/** Bytes pass both ways with back-pressure; nothing else is ever written to the standard output. */
async function join(stream: Duplex): Promise<void> {
  const closed = once(stream, 'close');
  // It is looked at when the far side has ended; before that it rejects what is awaited below.
  closed.catch(() => undefined);
  process.stdin.pipe(stream);
  process.stdin.once('error', (error) => stream.destroy(error));
  stream.pipe(process.stdout, { end: false });
  await once(stream, 'end');
  const whole = process.stdin.readableEnded;
  process.stdin.unpipe(stream);
  process.stdin.pause();
  stream.end();
  // Where the input had ended too, all of it has to arrive; else the far side did not want the rest.
  if (whole) await closed;
  else await Promise.race([closed.catch(() => undefined), new Promise((resolve) => setTimeout(resolve, LINGER_MS))]);
}
