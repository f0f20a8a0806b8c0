import { test } from 'tap';
import { start } from './kube-cli.ts';

test('exit codes say what was wrong', async (t) => {
  const { cli, server } = await start(t);
  const codes: Record<number, readonly (readonly string[])[]> = {
    2: [
      ['get'],
      ['get', 'pods', '--edge', 'a', '--all-edges'],
      ['get', 'pods', '--edge', '../x'],
      ['get', 'pods', '--max-stale', 'soon'],
      ['watch', 'pods', 'a', 'b'],
      ['delete', 'pods'],
      ['delete', 'pods', 'a', '-f', 'x.yaml'],
    ],
    3: [
      ['get', 'nothings'],
      ['get', 'sites', 'nowhere'],
      ['watch', 'nothings'],
      ['delete', 'sites', 'nowhere'],
    ],
    1: [['get', 'sites', '-l', 'a in (']],
    0: [['delete', 'sites', 'nowhere', '--ignore-not-found']],
  };
  for (const [code, all] of Object.entries(codes)) {
    for (const args of all) t.equal((await cli(args)).exitCode, Number(code), args.join(' '));
  }
  server.intercept = (_request, response) => {
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      reason: 'Forbidden',
      code: 403,
      message: 'no',
    };
    response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(status));
    return true;
  };
  t.equal((await cli(['get', 'sites'])).exitCode, 4);
  await server.stop(0);
  t.equal((await cli(['get', 'sites'])).exitCode, 5);
});
