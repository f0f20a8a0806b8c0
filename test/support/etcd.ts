import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { join } from 'node:path';

import { TestFleet } from './certificates.ts';
import { findCommand, freePort, Program, temporaryFolder } from './program.ts';
import { waitFor } from './wait-for.ts';

export interface EtcdOptions {
  /** Default 1. */
  readonly members?: 1 | 3;
  /** Clients and members speak TLS with certificates, both ways. */
  readonly tls?: boolean;
  /** How long a token lasts, seconds. Default: etcd's own, 300. */
  readonly tokenTtl?: number;
  /** Bytes after which nothing more is taken. Default: etcd's own, 2 GiB. */
  readonly quotaBytes?: number;
}

/** PEM of a client that the cluster lets in, and of its authority. */
export interface EtcdClientTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Real etcd members on loopback, in a folder that goes with them. */
export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly tls: EtcdClientTls | undefined;
  readonly #folder: string;

  /** Resolves when there is a leader. */
  static async start({ members = 1, tls = false, tokenTtl, quotaBytes }: EtcdOptions = {}): Promise<EtcdCluster> {
    const folder = temporaryFolder('etcd');
    const ports = await Promise.all(
      Array.from({ length: members }, async () => ({ client: await freePort(), peer: await freePort() })),
    );
    const client = tls ? await clientTls() : undefined;
    const scheme = tls ? 'https' : 'http';
    const common = [
      ...['--initial-cluster', ports.map(({ peer }, i) => `m${i}=${scheme}://127.0.0.1:${peer}`).join(',')],
      ...['--logger', 'zap', '--log-level', 'error'],
      ...(client === undefined ? [] : tlsFlags(folder, client)),
      ...(tokenTtl === undefined ? [] : ['--auth-token-ttl', String(tokenTtl)]),
      ...(quotaBytes === undefined ? [] : ['--quota-backend-bytes', String(quotaBytes)]),
    ];
    const cluster = new EtcdCluster(
      folder,
      client,
      ports.map(({ client: port, peer }, i) => {
        const [peerUrl, url] = [`${scheme}://127.0.0.1:${peer}`, `${scheme}://127.0.0.1:${port}`];
        const dataFolder = join(folder, `m${i}`);
        const own = ['--name', `m${i}`, '--data-dir', dataFolder];
        const urls = ['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl];
        urls.push('--listen-client-urls', url, '--advertise-client-urls', url);
        return new EtcdMember({ endpoint: url, port, dataFolder, args: [...own, ...urls, ...common], tls: client });
      }),
    );
    try {
      await Promise.all(cluster.members.map((member) => member.start()));
      await cluster.healthy();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  private constructor(folder: string, tls: EtcdClientTls | undefined, members: readonly EtcdMember[]) {
    this.#folder = folder;
    this.tls = tls;
    this.members = members;
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** The member that leads, found among those that run. */
  async leader(): Promise<EtcdMember> {
    return waitFor('a leader', async () => {
      for (const member of this.members) {
        if (!member.isRunning) continue;
        const status = await member.ask('/v3/maintenance/status', {}).catch(() => undefined);
        if (status !== undefined && status['leader'] === headerOf(status)['member_id']) return member;
      }
      return undefined;
    });
  }

  /** Resolves when every running member has a leader to ask. */
  async healthy(): Promise<void> {
    for (const member of this.members) {
      if (!member.isRunning) continue;
      await waitFor(
        `${member.endpoint} to be healthy`,
        async () => (await member.ask('/health'))['health'] === 'true',
        { deadlineMs: 30_000, everyMs: 50 },
      );
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface EtcdMemberOptions {
  readonly endpoint: string;
  readonly port: number;
  readonly dataFolder: string;
  readonly args: readonly string[];
  readonly tls: EtcdClientTls | undefined;
}

export class EtcdMember {
  readonly endpoint: string;
  /** Stays when it is killed. */
  readonly dataFolder: string;
  readonly #options: EtcdMemberOptions;
  #program: Program | undefined;
  #isPaused = false;

  constructor(options: EtcdMemberOptions) {
    this.endpoint = options.endpoint;
    this.dataFolder = options.dataFolder;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#program !== undefined && !this.#isPaused;
  }

  /** Also after `kill`: with the data that it had. */
  async start(): Promise<void> {
    this.#program = await Program.start({
      package: 'etcd-server',
      command: 'etcd',
      args: this.#options.args,
      port: this.#options.port,
      folder: temporaryFolder('etcd-member'),
    });
  }

  /** What `etcdctl snapshot save` makes. */
  backup(file: string): void {
    this.#etcdctl('snapshot', 'save', file);
  }

  /** Makes it what the backup is of; a member of a cluster of one that has been killed. */
  restore(file: string): void {
    rmSync(this.dataFolder, { recursive: true });
    const own = ['--name', '--initial-cluster', '--data-dir', '--initial-advertise-peer-urls'];
    const flags = this.#options.args.flatMap((arg, i, args) => (own.includes(arg) ? [arg, args[i + 1] ?? ''] : []));
    this.#etcdctl('snapshot', 'restore', file, ...flags);
  }

  #etcdctl(...args: readonly string[]): void {
    execFileSync(findCommand('etcdctl', 'etcd-client'), ['--endpoints', this.endpoint, ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    this.#isPaused = false;
    if (program === undefined) return;
    process.kill(program.pid, 'SIGKILL');
    await program.stop();
  }

  /** SIGSTOP: it is there, and does nothing. */
  pause(): void {
    if (this.#program !== undefined) process.kill(this.#program.pid, 'SIGSTOP');
    this.#isPaused = true;
  }

  resume(): void {
    if (this.#program !== undefined) process.kill(this.#program.pid, 'SIGCONT');
    this.#isPaused = false;
  }

  /** Asks etcd's JSON gateway; GET without a body. Throws what it answers with when that is not 200. */
  async ask(path: string, body?: object, token?: string): Promise<Readonly<Record<string, unknown>>> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const request = (this.#options.tls === undefined ? requestHttp : requestHttps)(this.endpoint + path, {
      ...this.#options.tls,
      agent: false,
      method: body === undefined ? 'GET' : 'POST',
      headers: token === undefined ? {} : { authorization: token },
      timeout: 3_000,
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.on('response', (response) => {
      const parts: string[] = [];
      response.setEncoding('utf8');
      response.on('error', reject);
      response.on('data', (part: string) => parts.push(part));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(parts.join(''));
        else reject(new Error(`${path}: ${parts.join('')}`));
      });
    });
    request.end(body === undefined ? undefined : JSON.stringify(body));
    const answer: unknown = JSON.parse(await promise);
    if (typeof answer !== 'object' || answer === null) throw new Error(`${path} is no object`);
    return Object.fromEntries(Object.entries(answer));
  }
}

function headerOf(answer: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { header } = answer;
  return typeof header === 'object' && header !== null ? Object.fromEntries(Object.entries(header)) : {};
}

/** Turns users on: `root`, and `replica` (both with the password `secret`), who may use the keys under a prefix alone. */
export async function enableUsers({ members: [member] }: EtcdCluster, prefix: string): Promise<void> {
  if (member === undefined) return;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  await member.ask('/v3/auth/user/add', { name: 'root', password: 'secret' });
  await member.ask('/v3/auth/user/grant', { user: 'root', role: 'root' });
  await member.ask('/v3/auth/user/add', { name: 'replica', password: 'secret' });
  await member.ask('/v3/auth/role/add', { name: 'replica' });
  const perm = { permType: 'READWRITE', key: base64(`${prefix}/`), range_end: base64(`${prefix}0`) };
  await member.ask('/v3/auth/role/grant', { name: 'replica', perm });
  await member.ask('/v3/auth/user/grant', { user: 'replica', role: 'replica' });
  await member.ask('/v3/auth/enable', {});
}

/** The members' flags for TLS. One certificate serves as a member's and as a client's. */
function tlsFlags(folder: string, { ca, cert, key }: EtcdClientTls): string[] {
  const write = (name: string, content: Buffer): string => {
    const file = join(folder, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  };
  const [certFile, keyFile, caFile] = [write('cert.pem', cert), write('key.pem', key), write('ca.pem', ca)];
  return [
    ...['--cert-file', certFile, '--key-file', keyFile, '--trusted-ca-file', caFile, '--client-cert-auth'],
    ...['--peer-cert-file', certFile, '--peer-key-file', keyFile, '--peer-trusted-ca-file', caFile],
    '--peer-client-cert-auth',
  ];
}

async function clientTls(): Promise<EtcdClientTls> {
  const fleet = await TestFleet.create();
  const { chainPem, keyPem, trust } = await fleet.credentials('replica/site-a/etcd');
  return { ca: Buffer.from(trust.pem), cert: Buffer.from(chainPem), key: Buffer.from(keyPem) };
}
