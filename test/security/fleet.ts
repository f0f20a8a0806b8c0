import { existsSync, readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import type { Test } from 'tap';
import { apiVersion, edgeNodePath } from '../../api/index.ts';
import { codeOf, messageOf, systemClock } from '../../base/index.ts';
import { clientTls, keyPinOf, loadKeyStore, type KeyStore, type TlsCredentials } from '../../certs/index.ts';
import { connect, type Fleet } from '../../sdk/index.ts';
import { dialLink, Link, Ticker, tunnelError } from '../../tunnel/index.ts';
import { start } from '../integration/start.ts';
import type { Cluster, ClusterOptions } from '../support/cluster.ts';

export const REVOCATIONS = `/apis/${apiVersion}/revocations`;

/** Who else is an administrator in the fleets of these tests: one who is then revoked. */
export const MALLORY = 'operator/mallory';

/** A fleet in which Mallory may do everything, until somebody takes that away. */
export async function startFleet(t: Test, options: ClusterOptions = {}): Promise<Awaited<ReturnType<typeof start>>> {
  return await start(t, { ...options, gateway: { admins: ['operator/tester', MALLORY], ...options.gateway } });
}

/** What an identity shows, and the folder of its files. */
export type Keys = KeyStore & { readonly folder: string };

/** New keys of an identity, with a certificate of their own. */
export async function keysOf({ certificates, folder: parent }: Cluster, name: string): Promise<Keys> {
  const folder = await certificates.keyStore(join(parent, 'more-keys'), name);
  return { ...(await loadKeyStore(folder)), folder };
}

/** Connections of one caller that are kept open, for requests one after the other. */
export function keptConnection(t: Test, { certificates }: Cluster, { chainPem, keyPem }: KeyStore): Agent {
  const tls = { ca: certificates.trust.pem, cert: chainPem, key: keyPem };
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets: 1, maxCachedSessions: 0 });
  t.teardown(() => agent.destroy());
  return agent;
}

export async function sdkOf(t: Test, cluster: Cluster, keys: Keys): Promise<Fleet> {
  const { replicas } = cluster.clientConfig;
  const fleet = await connect({ config: { replicas, keys: keys.folder } });
  t.teardown(() => fleet.close());
  return fleet;
}

export async function revoke(cluster: Cluster, name: string, spec: object): Promise<void> {
  const api = await cluster.api();
  await api.json('POST', REVOCATIONS, { apiVersion, kind: 'Revocation', metadata: { name }, spec });
}

export async function lift(cluster: Cluster, name: string): Promise<void> {
  const api = await cluster.api();
  await api.json('DELETE', `${REVOCATIONS}/${name}`);
}

export async function removeNode(cluster: Cluster, edge: string): Promise<void> {
  const api = await cluster.api();
  await api.json('DELETE', edgeNodePath(edge));
}

/** `sha256/...` of a leaf. */
export function pinOf({ chainPem }: Pick<KeyStore, 'chainPem'>): string {
  return keyPinOf(new X509Certificate(chainPem));
}

/** What became of a link that was dialed with these keys: the replica's WELCOME, or the code and the reason of its end. */
export type Dialed =
  | { readonly welcome: Readonly<Record<string, unknown>>; readonly close: () => void }
  | { readonly code: string; readonly reason: string };

/** Dials a link as an agent of its own making would, with a HELLO of its own choice. */
export async function dialLinkAs({ ports }: Cluster, credentials: TlsCredentials, hello: object): Promise<Dialed> {
  const dialing = Promise.withResolvers<Dialed>();
  const ended = (error: unknown): void => dialing.resolve({ code: codeOf(error), reason: messageOf(error) });
  const ticker = new Ticker(systemClock);
  dialLink(`127.0.0.1:${ports.link}`, clientTls(credentials)).then((wire) => {
    const link: Link = new Link({
      id: 'dialed',
      wire,
      role: 'dialer',
      clock: systemClock,
      ticker,
      hello: { role: 'edge', version: 1, instance: 'deadbeefdeadbeef', services: [], ...hello },
      user: {
        onHello() {},
        onOpen: (welcome) =>
          dialing.resolve({ welcome, close: () => link.close(tunnelError('link-closed', { detail: 'done' })) }),
        onUpdate() {},
        onGoaway() {},
        onClose: ended,
      },
    });
  }, ended);
  return await dialing.promise;
}

/** What the replica has recorded so far. */
export function auditOf({ folder }: Cluster): readonly Readonly<Record<string, unknown>>[] {
  const file = join(folder, 'audit.jsonl');
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Readonly<Record<string, unknown>>]));
}
