import type { Test } from 'tap';
import { KubeApi } from '../../sdk/index.ts';
import { KubeServer } from '../support/kube-server.ts';
import { causeway, type Outcome } from './causeway.ts';

/** A server, the command as a client of it, and the SDK on its two APIs. */
export async function start(t: Test) {
  const server = await KubeServer.start(t);
  const config = server.writeClientFile();
  const env = { CAUSEWAY_CONFIG: config, KUBECONFIG: '' };
  const cli = (args: readonly string[], input?: string): Promise<Outcome> =>
    causeway(args, { env, ...(input === undefined ? {} : { input }) });
  const edge = new KubeApi(await server.api(), '/edges/edge-1/kube');
  return { server, cli, env, edge, fleet: new KubeApi(await server.api(), '') };
}
