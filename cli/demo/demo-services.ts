import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { CommandInput, CommandSpec } from '../command-line.ts';
import { tellParent, untilParentEnds } from '../run-role.ts';
import { createHelloServer } from './hello-server.ts';

/** `causeway dev` starts one for each edge: a process of its own, so that what it counts outlives the agent. */
export const demoServicesCommand: CommandSpec = {
  name: 'demo-services',
  summary: 'the demo services `hello` (HTTP) and `echo` (TCP) of one edge',
  hidden: true,
  options: [
    { flags: '--edge NAME', help: 'the edge that the greeting names', default: 'edge-1' },
    { flags: '--hello PORT', help: 'its port on loopback', default: '0' },
    { flags: '--echo PORT', help: 'its port on loopback', default: '0' },
  ],
  run,
};

async function run(input: CommandInput): Promise<void> {
  const echo = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  const hello = await listen(createHelloServer(input.text('edge') ?? ''), input.integer('hello', 0, 65_535) ?? 0);
  tellParent({ event: 'started', ports: { hello, echo: await listen(echo, input.integer('echo', 0, 65_535) ?? 0) } });
  await untilParentEnds();
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen({ host: '127.0.0.1', port });
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
