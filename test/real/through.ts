import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { startCauseway } from '../cli/causeway.ts';
import { type FleetAccess, noProxies } from '../support/fleet-access.ts';
import { within } from '../support/wait-for.ts';

/** Long forms, for a machine that has the time: `CAUSEWAY_LONG=1 tap --timeout=1800 test/real/transfer.test.ts`. */
export const isLong = process.env['CAUSEWAY_LONG'] === '1';

const program = fileURLToPath(new URL('../../bin/causeway', import.meta.url));

/** Runs `causeway port-forward` until the test ends, and tells the local port that leads to the service. */
export async function startForward(
  t: Pick<Test, 'teardown'>,
  fleet: FleetAccess,
  edge: string,
  to: string,
): Promise<number> {
  const args = ['port-forward', edge, `0:${to}`, '--json', '--config', fleet.writeClientFile()];
  const child = startCauseway(args, { env: noProxies }, ['ignore', 'pipe', 'inherit']);
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  if (child.stdout === null) throw new Error('port-forward has no output');
  const lines = createInterface({ input: child.stdout });
  const listening = Promise.withResolvers<number>();
  // Read to its end, so that the command never waits for us.
  lines.on('line', (line) => {
    const event = JSON.parse(line) as { readonly event: string; readonly port?: number };
    if (event.event === 'listening' && event.port !== undefined) listening.resolve(event.port);
  });
  lines.on('close', () => listening.reject(new Error(`causeway ${args.join(' ')} ended`)));
  return await within('port-forward to listen', listening.promise, 20_000);
}

/** For ssh: a command that joins its standard input and output to a service of an edge. */
export function proxyCommand(fleet: FleetAccess, edge: string, service: string): string {
  return `${program} dial --config ${fleet.writeClientFile()} ${edge} ${service}`;
}
