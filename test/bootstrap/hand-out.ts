import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Test } from 'tap';
import { TestFleet, type LeafOptions } from '../support/certificates.ts';
import { findCommand } from '../support/program.ts';

export const bootstrapFile = fileURLToPath(new URL('../../deploy/bootstrap.sh', import.meta.url));

/** Well formed, and of nobody. */
export const someToken = `cwt1.${'0'.repeat(16)}.${'A'.repeat(43)}.${'A'.repeat(43)}`;

/** All that the script may find on a machine. */
const commands =
  'awk cat chmod chown cmp cp curl cut date df grep gzip head id mkdir mktemp mv readlink rm rmdir sed setpriv sh sha256sum sleep tail tr true uname wget';

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the bootstrap script, or another command line, and resolves with what came of it. */
export async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

export interface HandOutOptions {
  /** The agent; default a script that answers `version` and fails else. */
  readonly agent?: string;
  /** Of the server's certificate. */
  readonly leaf?: LeafOptions;
  /** Answers a path in another way; undefined: as usual. */
  readonly answer?: (path: string) => { status?: number; body?: Buffer; length?: number } | undefined;
  /** The `Date` of answers, seconds off. */
  readonly clockOff?: number;
  /** Commands that the machine does not have. */
  readonly without?: readonly string[];
}

/** A listener that hands out an agent as the public listener of a replica does, and can do so wrongly. */
export class HandOut {
  readonly #t: Test;
  readonly gateway: string;
  readonly folder: string;
  readonly ca: string;
  readonly asked: string[];
  /** What the environment of the script has besides. */
  readonly env: Record<string, string> = {};

  static async start(t: Test, options: HandOutOptions = {}): Promise<HandOut> {
    const { agent = '#!/bin/sh\n[ "$1" = version ] && echo 9.9.9\n', leaf, answer, clockOff, without = [] } = options;
    const fleet = await TestFleet.create();
    const { chainPem, keyPem } = await fleet.credentials('replica/site-a/r0', leaf);
    const asked: string[] = [];
    const bytes = Buffer.from(agent);
    const usual: Record<string, Buffer> = {
      '.sha256': Buffer.from(`${createHash('sha256').update(bytes).digest('hex')}  linux\n`),
      '.gz': gzipSync(bytes),
      '': bytes,
    };
    const server = createServer({ cert: chainPem, key: keyPem, minVersion: 'TLSv1.3' }, (request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      if (clockOff !== undefined) response.setHeader('Date', new Date(Date.now() + clockOff * 1000).toUTCString());
      const known = usual[/^\/v1\/agent\/linux-(?:x64|arm64)(.*)$/u.exec(path)?.[1] ?? 'none'];
      const {
        status = known === undefined ? 404 : 200,
        body = known ?? Buffer.alloc(0),
        length = body.length,
      } = answer?.(path) ?? {};
      response.writeHead(status, { 'Content-Length': length, 'Connection': 'close' });
      if (length > body.length) response.write(body, () => response.destroy());
      else response.end(body);
    });
    // Who refuses the certificate goes away.
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(async () => {
      server.close().closeAllConnections();
      await once(server, 'close');
    });
    const folder = t.testdir({ 'ca.pem': fleet.trust.pem, 'home': {}, 'tmp': {}, 'tools': {} });
    for (const command of commands.split(' ').filter((name) => !without.includes(name)))
      symlinkSync(findCommand(command, command), join(folder, 'tools', command));
    return new HandOut(t, `127.0.0.1:${(server.address() as AddressInfo).port}`, folder, asked);
  }

  private constructor(t: Test, gateway: string, folder: string, asked: string[]) {
    this.#t = t;
    this.gateway = gateway;
    this.folder = folder;
    this.ca = join(folder, 'ca.pem');
    this.asked = asked;
  }

  get prefix(): string {
    return join(this.folder, 'root');
  }

  /** A command in place of the machine's own of this name. */
  tool(name: string, script: string): void {
    rmSync(join(this.folder, 'tools', name), { force: true });
    writeFileSync(join(this.folder, 'tools', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** The script with what it needs; what is given comes after, and wins. */
  bootstrap(...more: readonly string[]): Promise<Ran> {
    const args = ['--gateway', this.gateway, '--token', someToken, '--ca', this.ca, '--prefix', this.prefix];
    return run('/bin/dash', [bootstrapFile, ...args, '--wait', '1', ...more], {
      ...this.env,
      PATH: join(this.folder, 'tools'),
      HOME: join(this.folder, 'home'),
      TMPDIR: join(this.folder, 'tmp'),
    });
  }

  /** Ends with this exit code and says this, and the way out; nothing is left behind. */
  async refuses(code: number, said: RegExp, fix: RegExp, ...more: readonly string[]): Promise<void> {
    const ran = await this.bootstrap(...more);
    this.#t.equal(ran.code, code, ran.stderr);
    this.#t.match(ran.stderr, said);
    this.#t.match(ran.stderr, fix);
    this.#t.same(filesIn(this.prefix), [], 'nothing is left behind');
    this.#t.same(filesIn(join(this.folder, 'tmp')), [], 'nor in the temporary folder');
  }
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}
