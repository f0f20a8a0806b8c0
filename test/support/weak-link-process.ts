/**
 * A WeakLink as a process of its own, so that the proxy's work does not disturb what is measured:
 *
 *     node test/support/weak-link-process.ts '{"target": {"port": 8443}, "delayMs": 25, "bitsPerSecond": 4000000}'
 *
 * Prints `{"port": N}`, then reads one JSON command a line and answers each with a line: `{"command": "cutAll"}`,
 * `cutOne`, `closeAll`, `blackHole`, `restore`, `refuse`, `admit`, `{"command": "halfOpen", "direction": "toClient"}`,
 * `{"command": "shape", "shape": {"delayMs": 50}}`, `count`. Ends with its input or by SIGTERM.
 */
import { createInterface } from 'node:readline';
import { type Direction, type Shape, WeakLink, type WeakLinkOptions } from './weak-link.ts';

interface Command {
  readonly command: string;
  readonly direction?: Direction;
  readonly shape?: Partial<Shape>;
}

const weak = await WeakLink.start(JSON.parse(process.argv[2] ?? '{}') as WeakLinkOptions);
answer({ port: weak.port });
process.once('SIGTERM', () => void weak.close().then(() => process.exit(0)));
for await (const line of createInterface({ input: process.stdin })) {
  try {
    await obey(JSON.parse(line) as Command);
    answer({ ok: true, connections: weak.connections.length });
  } catch (error) {
    answer({ ok: false, error: String(error) });
  }
}
await weak.close();

async function obey({ command, direction = 'toTarget', shape = {} }: Command): Promise<void> {
  switch (command) {
    case 'cutAll':
      return weak.cutAll();
    case 'cutOne':
      return weak.cutOne();
    case 'closeAll':
      return weak.closeAll();
    case 'blackHole':
      return weak.blackHole();
    case 'halfOpen':
      return weak.halfOpen(direction);
    case 'restore':
      return weak.restore();
    case 'refuse':
      return weak.refuse();
    case 'admit':
      return await weak.admit();
    case 'shape':
      return weak.shape(shape);
    case 'count':
      return;
    default:
      throw new Error(`unknown command ${command}`);
  }
}

function answer(body: object): void {
  process.stdout.write(`${JSON.stringify(body)}\n`);
}
