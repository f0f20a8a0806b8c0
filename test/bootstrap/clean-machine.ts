import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { findCommand, temporaryFolder } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { run, type Ran } from './hand-out.ts';
import { pathWithSbin } from './two-networks.ts';

/** What a small machine brings: a shell, coreutils, grep, sed, awk, gzip, what makes users, and one of curl and wget. */
const tools =
  'sh cat chmod chown chroot cmp cp cut date df grep gzip head id mkdir mktemp mv readlink rm rmdir sed sha256sum sleep tail tr true uname awk useradd userdel groupdel';

/** The agent is larger: its inode and time tell whether it was replaced. */
const MAX_HASHED_BYTES = 10_000_000;

export interface MachineOptions {
  readonly network: string;
  readonly downloader: 'curl' | 'wget';
}

/**
 * A machine with nothing on it: an empty root with a shell and a few tools, without Node, npm or any certificate, in a network, a process
 * and a mount namespace of its own. What runs in it ends with the test.
 */
export class CleanMachine {
  readonly root: string;
  readonly #process: ChildProcess;

  static async start(t: Test, { network, downloader }: MachineOptions): Promise<CleanMachine> {
    const root = temporaryFolder('machine');
    chmodSync(root, 0o755);
    for (const folder of ['bin', 'dev', 'etc', 'proc', 'root', 'tmp', 'usr/local/bin', 'usr/sbin', 'var/lib'])
      mkdirSync(join(root, folder), { recursive: true });
    chmodSync(join(root, 'tmp'), 0o1777);
    for (const tool of [...tools.split(' '), downloader]) install(root, findCommand(tool, tool));
    // What the agent's file needs besides: the C and C++ run time.
    libraries(process.execPath).forEach((file) => place(root, file));
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
    for (const [name, minor] of Object.entries({ null: 3, zero: 5, random: 8, urandom: 9 }))
      execFileSync('mknod', ['-m', '666', join(root, 'dev', name), 'c', '1', String(minor)]);
    const machine = new CleanMachine(root, network);
    t.teardown(() => machine.#stop());
    await waitFor('the machine to run', () => machine.#isUp());
    return machine;
  }

  private constructor(root: string, network: string) {
    this.root = root;
    const init = `mount -t proc proc ${root}/proc && exec chroot ${root} /bin/sleep infinity`;
    const spaces = ['--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child=KILL'];
    const inside = ['ip', 'netns', 'exec', network, 'unshare', ...spaces, 'sh', '-c', init];
    // It ends with this process, however that ends.
    this.#process = spawn('setpriv', ['--pdeathsig', 'KILL', ...inside], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: pathWithSbin(),
    });
  }

  /** Runs a line in the machine's shell, as its root. */
  sh(line: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const own = `/proc/${this.#process.pid}/ns`;
    const spaces = [`--mount=${own}/mnt`, `--pid=${own}/pid_for_children`, `--net=${own}/net`, `--ipc=${own}/ipc`];
    return run('nsenter', [...spaces, 'chroot', this.root, '/bin/sh', '-c', line], {
      PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
      HOME: '/root',
      ...env,
    });
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  text(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /** Every file and folder with its mode, owner, time and content, save what is the kernel's and below `without`. */
  files(without: readonly string[] = []): Readonly<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const entry of readdirSync(this.root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(this.root.length);
      if (['/proc', '/dev', '/tmp', ...without].some((each) => name === each || name.startsWith(`${each}/`))) continue;
      const { mode, uid, gid, mtimeMs, ino, size } = lstatSync(path);
      const isSmall = entry.isFile() && size < MAX_HASHED_BYTES;
      const content = isSmall ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
      found[name] = `${mode.toString(8)} ${uid}:${gid} ${entry.isDirectory() ? '' : `${ino} ${mtimeMs}`} ${content}`;
    }
    return found;
  }

  async #stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    // The processes in it are killed with its first one, and hold its files until they are gone.
    rmSync(this.root, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  async #isUp(): Promise<boolean> {
    return (await this.sh('test -d /proc/1')).code === 0;
  }
}

/** Copies a program and what it is linked with. */
function install(root: string, program: string): void {
  for (const file of [program, ...libraries(program)]) place(root, file);
}

function libraries(program: string): string[] {
  return execFileSync('ldd', [program], { encoding: 'utf8' })
    .split(/\s+/u)
    .filter((word) => word.startsWith('/'));
}

/** In the machine as here: programs in /bin, libraries where the loader looks for them. */
function place(root: string, file: string): void {
  const isLibrary = /\.so(\.|$)/u.test(file);
  const to = isLibrary ? join(root, file) : join(root, 'bin', file.split('/').at(-1) ?? '');
  if (existsSync(to)) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(realpathSync(file), to);
}
