import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { z } from '../../base/index.ts';
import { waitFor } from '../support/wait-for.ts';
import { run, type Ran } from './hand-out.ts';
import { centerAddress, pathWithSbin } from './two-networks.ts';

const program = fileURLToPath(new URL('../../bin/causeway', import.meta.url));

const madeToken = z.object({ token: z.string(), line: z.string(), gateway: z.string() });

type MadeToken = z.output<typeof madeToken>;

const auditLine = z.looseObject({ action: z.string(), outcome: z.string(), code: z.string().exactOptional() });

/** A fleet of one replica, as `causeway init` makes it, that runs in a network namespace; and its operator's command. */
export class Center {
  readonly folder: string;
  readonly #network: string;
  readonly #replica: ChildProcess;

  static async start(t: Test, { network, agentFiles }: { network: string; agentFiles: string }): Promise<Center> {
    const folder = join(t.testdir(), 'fleet');
    const made = await run(program, ['init', folder, '--host', centerAddress]);
    if (made.code !== 0) throw new Error(made.stderr);
    const center = new Center(folder, network, agentFiles);
    t.teardown(() => center.#stop());
    const [first] = (await Promise.race([once(center.#replica, 'message'), once(center.#replica, 'exit')])) as [
      unknown,
    ];
    if (typeof first !== 'object')
      throw new Error(`the replica ended: ${readFileSync(join(folder, 'replica.log'), 'utf8')}`);
    return center;
  }

  private constructor(folder: string, network: string, agentFiles: string) {
    this.folder = folder;
    this.#network = network;
    const log = openSync(join(folder, 'replica.log'), 'a');
    const config = ['--config', join(folder, 'gateway.yaml'), '--set', `agentFiles=${agentFiles}`];
    this.#replica = spawn('ip', ['netns', 'exec', network, program, 'gateway', 'run', ...config], {
      stdio: ['ignore', log, log, 'ipc'],
      env: pathWithSbin(),
    });
    closeSync(log);
  }

  /** The operator's command, in the center's network. */
  causeway(...args: readonly string[]): Promise<Ran> {
    return run('ip', ['netns', 'exec', this.#network, program, ...args], {
      ...pathWithSbin(),
      CAUSEWAY_CONFIG: join(this.folder, 'client.yaml'),
    });
  }

  async token(...args: readonly string[]): Promise<MadeToken> {
    const { code, stdout, stderr } = await this.causeway('token', 'create', '--output', 'json', ...args);
    if (code !== 0) throw new Error(stderr);
    return madeToken.parse(JSON.parse(stdout));
  }

  /** A token that was good for a second, shorter than the command makes them; resolves when that is over. */
  async expiredToken(edge: string): Promise<string> {
    const expiresAt = new Date(Date.now() + 1000);
    const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(this.folder, 'operator', name));
    const body = JSON.stringify({ spec: { edge, expiresAt: expiresAt.toISOString() } });
    const what = ['-H', 'Content-Type: application/json', '-d', body, `https://${centerAddress}:8440/v1/tokens`];
    const curl = ['curl', '-fsS', '--cacert', ca ?? '', '--cert', cert ?? '', '--key', key ?? '', ...what];
    const { code, stdout, stderr } = await run('ip', ['netns', 'exec', this.#network, ...curl], pathWithSbin());
    if (code !== 0) throw new Error(stderr);
    await waitFor('the token to expire', () => Date.now() > expiresAt.getTime(), { everyMs: 50 });
    return z.object({ token: z.string() }).parse(JSON.parse(stdout)).token;
  }

  /** The codes of the enrolments that were refused, in their order, as the audit log has them. */
  refusals(): string[] {
    return readFileSync(join(this.folder, 'audit.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => auditLine.parse(JSON.parse(line)))
      .filter(({ action, outcome }) => action === 'enrol' && outcome === 'refused')
      .map(({ code }) => code ?? '');
  }

  async #stop(): Promise<void> {
    if (this.#replica.exitCode !== null || this.#replica.signalCode !== null) return;
    this.#replica.kill('SIGKILL');
    await once(this.#replica, 'exit');
  }
}
