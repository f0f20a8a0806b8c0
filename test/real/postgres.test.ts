import { test } from 'tap';
import { run } from '../support/fleet-access.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { findCommand, missing } from '../support/program.ts';
import { startPostgres } from '../support/programs.ts';
import { isLong, startForward } from './through.ts';

const server = '/usr/lib/postgresql/*/bin/postgres';
const benchmark = '/usr/lib/postgresql/*/bin/pgbench';
const skip = missing(server, 'postgresql') || missing(benchmark, 'postgresql-contrib');

test('PostgreSQL through a forwarded port bears pgbench', { skip, timeout: 180_000 }, async (t) => {
  const postgres = await startPostgres();
  t.teardown(() => postgres.stop());
  const cluster = await ProcessCluster.start(t, {
    services: () => [{ name: 'pg', kind: 'tcp', address: `127.0.0.1:${postgres.port}` }],
  });
  const port = await startForward(t, cluster, 'edge-1', 'pg');
  const at = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres'];
  const query = async (sql: string): Promise<string> => (await run('psql', [...at, '-Atc', sql])).stdout.trim();
  const pgbench = findCommand(benchmark, 'postgresql-contrib');

  // COPY of 100,000 rows.
  const filled = await run(pgbench, [...at, '-i', '-q', '-s', '1', 'postgres']);
  t.equal(filled.exitCode, 0, filled.stderr);
  t.equal(await query('select count(*) from pgbench_accounts'), '100000');

  const seconds = isLong ? '60' : '5';
  const { exitCode, stdout, stderr } = await run(pgbench, [...at, '-c', '8', '-j', '2', '-T', seconds, 'postgres']);
  t.comment(stdout.trim());
  t.equal(exitCode, 0, stderr);
  t.match(stdout, /^number of failed transactions: 0 /mu);
  const [, transactions = ''] = /^number of transactions actually processed: (\d+)/mu.exec(stdout) ?? [];
  t.equal(await query('select count(*) from pgbench_history'), transactions, 'each was executed once');
});
