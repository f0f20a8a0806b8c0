import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { codeOf } from '../../base/index.ts';
import { cliError } from '../cli-error.ts';

const HOST = '127.0.0.1';

/** Looks whether each port can be listened on. Throws `address-in-use`, naming the port. */
export async function requireFreePorts(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    try {
      await close(await listen(port));
    } catch (cause) {
      if (codeOf(cause) === 'EADDRINUSE') throw cliError('address-in-use', `${HOST}:${port}`);
      throw cliError('usage', `port ${port} cannot be listened on`, cause);
    }
  }
}

/** Ports that are free now; all are held until the last is found, so that they differ. */
export async function findFreePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map(close));
  return ports;
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen({ host: HOST, port });
  await once(server, 'listening');
  return server;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
