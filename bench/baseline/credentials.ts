import { apiServerTls, clientTls, linkServerTls, parseTrustBundle, type TlsCredentials } from '../../certs/index.ts';
import { TestFleet } from '../../test/support/certificates.ts';

/** Credentials as they are handed to a child process. */
export interface PemCredentials {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly trustPem: string;
}

export interface BenchCredentials {
  readonly client: PemCredentials;
  readonly relay: PemCredentials;
  readonly edge: PemCredentials;
  /** Of one more edge. */
  newEdge(name: string): Promise<PemCredentials>;
}

/** New certificates for the two sides of every hop. */
export async function makeCredentials(): Promise<BenchCredentials> {
  const fleet = await TestFleet.create('bench.test');
  return {
    client: toPem(await fleet.credentials('component/bench')),
    relay: toPem(await fleet.credentials('replica/site-a/relay')),
    edge: toPem(await fleet.credentials('edge/bench')),
    newEdge: async (name) => toPem(await fleet.credentials(`edge/${name}`)),
  };
}

export function serverOptions(credentials: PemCredentials): ReturnType<typeof linkServerTls> {
  return linkServerTls(fromPem(credentials));
}

/** As the listener for HTTP clients has them. */
export function apiServerOptions(credentials: PemCredentials): ReturnType<typeof apiServerTls> {
  return apiServerTls(fromPem(credentials));
}

export function clientOptions(credentials: PemCredentials): ReturnType<typeof clientTls> {
  return clientTls(fromPem(credentials));
}

function toPem({ chainPem, keyPem, trust }: TlsCredentials): PemCredentials {
  return { chainPem, keyPem, trustPem: trust.pem };
}

function fromPem({ chainPem, keyPem, trustPem }: PemCredentials): TlsCredentials {
  return { chainPem, keyPem, trust: parseTrustBundle(trustPem) };
}
