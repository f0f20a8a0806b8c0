import { test } from 'tap';
import { run } from '../support/fleet-access.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { missing } from '../support/program.ts';
import { startRedis } from '../support/programs.ts';
import { isLong, startForward } from './through.ts';

const skip = missing('redis-server') || missing('redis-benchmark', 'redis-tools');

test('Redis through a forwarded port bears redis-benchmark', { skip, timeout: 300_000 }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const cluster = await ProcessCluster.start(t, {
    services: () => [{ name: 'redis', kind: 'tcp', address: `127.0.0.1:${redis.port}` }],
  });
  const port = String(await startForward(t, cluster, 'edge-1', 'redis'));
  const requests = isLong ? 200_000 : 20_000;
  const bench = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run('redis-benchmark', [
      '-p',
      port,
      '-q',
      '-n',
      String(requests),
      ...args,
    ]);
    const results = stdout.replaceAll(/^.*\r/gmu, '').trim();
    t.comment(`redis-benchmark ${args.join(' ')}\n${results}`);
    t.equal(exitCode, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /error|could not/iu);
    return results;
  };

  t.match(await bench('-t', 'set,get', '-d', '100'), /^SET: .* requests per second.*\n+GET: /u);
  t.match(await bench('-t', 'set,get', '-P', '16', '-d', '1000'), /^SET: /u);
  t.match(await bench('-t', 'lpush,lrange_100', '-c', '20'), /LRANGE_100/u);

  const { stdout } = await run('redis-cli', ['-p', port, 'info', 'commandstats']);
  const calls = (command: string): number =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`, 'u').exec(stdout)?.[1]);
  t.equal(calls('set'), 2 * requests, 'each SET was executed once');
  t.equal(calls('get'), 2 * requests);
});
