import { execFile } from 'node:child_process';
import { request as httpsRequest } from 'node:https';
import { rmSync, writeFileSync } from 'node:fs';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { join } from 'node:path';
import { apiVersion, edgeNodePath, edgeNodesPath, type EdgeNode } from '../../api/index.ts';
import { formatYaml } from '../../base/index.ts';
import { loadKeyStore, type TlsCredentials } from '../../certs/index.ts';
import { Api, connect, type ClientConfig, type ConnectOptions, type Fleet } from '../../sdk/index.ts';
import { TestFleet } from './certificates.ts';
import { type Answer, readAnswer } from './edge-path.ts';
import { temporaryFolder } from './program.ts';
import { waitFor } from './wait-for.ts';

export interface Ports {
  readonly link: number;
  readonly api: number;
  readonly public: number;
}

/** A request to a replica's API; without credentials the operator's. */
export type AskOptions = RequestOptions & {
  readonly credentials?: Partial<TlsCredentials>;
  readonly body?: string | Buffer;
};

/** What a program that was run to its end came to. */
export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a test does with a fleet, however its parts run: asks the replica, changes the whitelist, opens clients. */
export abstract class FleetAccess {
  readonly certificates: TestFleet;
  /** Everything that the fleet keeps; removed at its end. */
  readonly folder: string;
  readonly #clients: Fleet[] = [];
  readonly #operator: TlsCredentials;
  #api: Api | undefined;

  protected constructor(certificates: TestFleet, folder: string, operator: TlsCredentials) {
    this.certificates = certificates;
    this.folder = folder;
    this.#operator = operator;
  }

  abstract get ports(): Ports;

  /** Where clients' links go: the replica, or a bad network before it. */
  protected abstract get clientLinkPort(): number;

  get apiUrl(): string {
    return `https://127.0.0.1:${this.ports.api}`;
  }

  /** The operator's files: what curl, git and psql are given. */
  get tlsFiles(): { readonly ca: string; readonly cert: string; readonly key: string } {
    const keys = this.keyFolder('operator/tester');
    return { ca: join(keys, 'ca.pem'), cert: join(keys, 'cert.pem'), key: join(keys, 'key.pem') };
  }

  get curlArgs(): readonly string[] {
    const { ca, cert, key } = this.tlsFiles;
    return ['-sS', '--max-time', '60', '--cacert', ca, '--cert', cert, '--key', key];
  }

  /** Writes `client.yaml`, for the command, and tells its path. */
  writeClientFile(): string {
    const file = join(this.folder, 'client.yaml');
    writeFileSync(file, formatYaml(this.clientConfig));
    return file;
  }

  get clientConfig(): ClientConfig {
    const link = `127.0.0.1:${this.clientLinkPort}`;
    return { replicas: [{ api: this.apiUrl, link }], keys: this.keyFolder('operator/tester') };
  }

  /** A connected SDK; closed with the fleet. */
  async client(options: Omit<ConnectOptions, 'config'> = {}): Promise<Fleet> {
    const fleet = await connect({ config: this.clientConfig, ...options });
    this.#clients.push(fleet);
    return fleet;
  }

  /** The replica's API as the operator. */
  async api(): Promise<Api> {
    this.#api ??= new Api([this.apiUrl], await loadKeyStore(this.keyFolder('operator/tester')));
    return this.#api;
  }

  /** One request on a connection of its own, to its end. */
  ask(path: string, options: AskOptions = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = this.open(path, options, (response) => resolve(readAnswer(response)));
      request.on('error', reject);
      request.end(options.body);
    });
  }

  /** Begins a request on a connection of its own; the caller ends it. */
  open(path: string, options: AskOptions = {}, onAnswer?: (response: IncomingMessage) => void): ClientRequest {
    const { credentials = this.#operator, body: _, ...rest } = options;
    const tls = {
      ca: this.certificates.trust.pem,
      ...(credentials.chainPem === undefined ? {} : { cert: credentials.chainPem }),
      ...(credentials.keyPem === undefined ? {} : { key: credentials.keyPem }),
    };
    return httpsRequest(`${this.apiUrl}${path}`, { agent: false, ...tls, ...rest }, onAnswer);
  }

  /** Runs curl as the operator. */
  curl(...args: string[]): Promise<Ran> {
    return run('curl', [...this.curlArgs, ...args]);
  }

  /** Puts an edge on the whitelist. */
  async allow(edge: string): Promise<void> {
    const api = await this.api();
    const node = { apiVersion, kind: 'EdgeNode', metadata: { name: edge }, spec: { admission: 'Allowed' } };
    await api.json('POST', edgeNodesPath, node);
  }

  async setAdmission(edge: string, admission: EdgeNode['spec']['admission']): Promise<void> {
    const api = await this.api();
    await api.json('PATCH', edgeNodePath(edge), { spec: { admission } });
  }

  async node(edge: string): Promise<EdgeNode> {
    const api = await this.api();
    return (await api.json('GET', edgeNodePath(edge))) as EdgeNode;
  }

  /** Waits until the edge has all of its links, one of them active. */
  async online(edge: string, links = 2): Promise<EdgeNode> {
    return await waitFor(`${edge} to be online`, async () => {
      const node = await this.node(edge);
      const status = node.status?.links ?? [];
      return status.length >= links && status.some(({ active }) => active) ? node : undefined;
    });
  }

  /** Makes the key store of an identity where there is none, and tells its folder. */
  protected async ensureKeys(name: string): Promise<string> {
    return await this.certificates.keyStore(join(this.folder, 'keys'), name);
  }

  protected keyFolder(name: string): string {
    return join(this.folder, 'keys', name.replaceAll('/', '-'));
  }

  /** Closes what was opened here; the parts of the fleet are its owner's. */
  protected async closeClients(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.close();
    await this.#api?.close();
    this.#api = undefined;
  }

  protected removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface FleetFiles {
  readonly certificates: TestFleet;
  readonly folder: string;
  readonly operator: TlsCredentials;
}

/** A folder with the key stores of a replica, of an operator, and of edges, and with the edges' issuing key: `issuer.cert.pem`, `issuer.key.pem`. */
export async function createFleetFiles(edges: readonly string[]): Promise<FleetFiles> {
  const certificates = await TestFleet.create();
  const folder = temporaryFolder('cluster');
  const keys = join(folder, 'keys');
  for (const edge of edges) await certificates.keyStore(keys, `edge/${edge}`);
  await certificates.keyStore(keys, 'replica/site-a/r0');
  const { certPem, keyPem } = certificates.authority.issuers.edge;
  writeFileSync(join(folder, 'issuer.cert.pem'), certPem);
  writeFileSync(join(folder, 'issuer.key.pem'), keyPem, { mode: 0o600 });
  const operator = await loadKeyStore(await certificates.keyStore(keys, 'operator/tester'));
  return { certificates, folder, operator };
}

/** The names of a number of edges, as `causeway dev` has them. */
export function edgeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `edge-${index + 1}`);
}

/** What the machine says of proxies and of whom to trust is not meant for what stays on loopback. */
export const noProxies: Readonly<Record<string, string>> = Object.fromEntries(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [
    [name, ''],
    [name.toLowerCase(), ''],
  ]),
);

/** Runs a program to its end; never throws for its exit code. */
export function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const options = { maxBuffer: 16 * 1024 * 1024, env: { ...process.env, ...noProxies, ...env } };
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number' && error.signal === undefined)
        reject(new Error(`${command} could not be run`, { cause: error }));
      else resolve({ exitCode: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}
