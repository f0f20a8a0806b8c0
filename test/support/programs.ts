import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { findCommand, freePort, Program, temporaryFolder } from './program.ts';

const isRoot = userInfo().uid === 0;

/** nginx with the given directives inside its one `server` block; its document root is the folder `www`. */
export async function startNginx(serverBlock = ''): Promise<Program> {
  const folder = temporaryFolder('nginx');
  const port = await freePort();
  mkdirSync(join(folder, 'www'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const configuration = `
    ${isRoot ? 'user root;' : ''}
    daemon off;
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log stderr warn;
    events { worker_connections 1024; }
    http {
      ${temporary.join('\n')}
      access_log off;
      server {
        listen 127.0.0.1:${port};
        root ${folder}/www;
        ${serverBlock}
      }
    }`;
  writeFileSync(join(folder, 'nginx.conf'), configuration);
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
  return await Program.start({ package: 'nginx', command: 'nginx', args, port, folder, stopSignal: 'SIGTERM' });
}

/** Redis, without persistence. */
export async function startRedis(): Promise<Program> {
  const folder = temporaryFolder('redis');
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
  return await Program.start({ package: 'redis-server', command: 'redis-server', args, port, folder });
}

/** PostgreSQL with a new cluster; user `postgres`, no password. It refuses to run as root, so root starts it as `postgres`. */
export async function startPostgres(): Promise<Program> {
  const folder = temporaryFolder('postgres');
  const port = await freePort();
  const owner = isRoot ? { user: 'postgres', uid: idOf('-u', 'postgres'), gid: idOf('-g', 'postgres') } : undefined;
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const initdb = findCommand('/usr/lib/postgresql/*/bin/initdb', 'postgresql');
  execFileSync(initdb, ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale', 'C'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: folder,
    ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
  });
  return await Program.start({
    package: 'postgresql',
    command: '/usr/lib/postgresql/*/bin/postgres',
    args: ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
    port,
    folder,
    stopSignal: 'SIGINT',
    ...(owner === undefined ? {} : { user: owner.user }),
  });
}

export interface SshServer {
  readonly program: Program;
  readonly user: string;
  /** Options for `ssh`, `scp` and `sftp`: the client's key, and the server's, already known as `causeway-test`. */
  readonly clientOptions: readonly string[];
}

/** sshd with a host key and one user key of its own; the user is the one who runs the test. */
export async function startSshServer(): Promise<SshServer> {
  const folder = temporaryFolder('sshd');
  const port = await freePort();
  const hostKey = makeSshKey(folder, 'host_key');
  const userKey = makeSshKey(folder, 'user_key');
  copyFileSync(`${userKey}.pub`, join(folder, 'authorized_keys'));
  const hostKeyText = execFileSync('ssh-keygen', ['-y', '-f', hostKey], { encoding: 'utf8' }).trim();
  const knownHosts = join(folder, 'known_hosts');
  writeFileSync(knownHosts, `causeway-test ${hostKeyText}\n`);
  const configuration = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'Subsystem sftp internal-sftp',
  ];
  writeFileSync(join(folder, 'sshd_config'), configuration.map((line) => `${line}\n`).join(''));
  // The folder that sshd drops its privileges in; the package's service file makes it, and no service runs here.
  if (isRoot) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const args = ['-D', '-e', '-f', join(folder, 'sshd_config')];
  const program = await Program.start({ package: 'openssh-server', command: '/usr/sbin/sshd', args, port, folder });
  const options = [
    'HostKeyAlias=causeway-test',
    `UserKnownHostsFile=${knownHosts}`,
    'IdentitiesOnly=yes',
    'BatchMode=yes',
  ];
  return {
    program,
    user: userInfo().username,
    clientOptions: ['-F', 'none', '-i', userKey, ...options.flatMap((option) => ['-o', option])],
  };
}

function makeSshKey(folder: string, name: string): string {
  const path = join(folder, name);
  execFileSync(findCommand('ssh-keygen', 'openssh-client'), ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
  chmodSync(path, 0o600);
  return path;
}

function idOf(flag: '-u' | '-g', user: string): number {
  return Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
}
