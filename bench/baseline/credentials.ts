import { clientTls, linkServerTls, parseTrustBundle, type TlsCredentials } from '../../certs/index.ts';
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
}

/** New certificates for the two sides of every hop. */
export async function makeCredentials(): Promise<BenchCredentials> {
  const fleet = await TestFleet.create('bench.test');
  return {
    client: toPem(await fleet.credentials('component/bench')),
    relay: toPem(await fleet.credentials('replica/site-a/relay')),
    edge: toPem(await fleet.credentials('edge/bench')),
  };
}

export function serverOptions(credentials: PemCredentials): ReturnType<typeof linkServerTls> {
  return linkServerTls(fromPem(credentials));
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
