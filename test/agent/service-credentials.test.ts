import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { test, type Test } from 'tap';
import { createLog, formatYaml } from '../../base/index.ts';
import { ServiceTable, type HttpServiceConfig } from '../../edge-agent/services/index.ts';
import { serviceTransport } from '../../edge-agent/feed/service-transport.ts';
import { readAll } from '../../resources/index.ts';
import { encodeRequestHead } from '../../tunnel/index.ts';
import { listen, until } from '../support/edge-path.ts';
import { temporaryFolder } from '../support/program.ts';
import { selfSigned } from '../support/self-signed.ts';
import { MemoryOpener } from '../support/stream-pair.ts';
import { waitFor } from '../support/wait-for.ts';

const folder = temporaryFolder('credentials');

function write(name: string, text: string): string {
  const file = join(folder, name);
  // As whoever rotates a secret does it: whole, by a rename.
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
  return file;
}

function openTable(t: Test, config: Partial<HttpServiceConfig>) {
  const events: { event: string }[] = [];
  const log = createLog({
    name: 'agent',
    level: 'info',
    destination: { write: (line) => void events.push(JSON.parse(line)) },
  });
  const table = new ServiceTable({ services: [{ name: 'kube', kind: 'http', ...config }] }, { log });
  const opener = new MemoryOpener((stream) => table.dispatchStream(stream));
  t.teardown(() => table.destroy());
  const ask = async (): Promise<void> => {
    const target = { edge: 'e', service: 'kube', kind: 'http', verb: 'GET', path: '/api', principal: 'operator/test' };
    const headers = ['Authorization', 'Bearer of the caller'];
    const stream = opener.open(target, { head: encodeRequestHead({ headers }) });
    const failed = Promise.withResolvers<never>();
    stream.on('error', failed.reject).resume().end();
    await Promise.race([until(() => opener.streams.size === 0, 'the stream to end'), failed.promise]);
  };
  return { table, ask, events };
}

test('a token comes from a file, and a new one is used when the file changes', async (t) => {
  const seen: IncomingMessage[] = [];
  const service = await listen(createServer((request, response) => response.end(String(seen.push(request)))));
  t.teardown(() => service.close());
  const tokenFile = write('token', 'first\n');
  const { table, ask, events } = openTable(t, { url: `http://127.0.0.1:${service.port}`, tokenFile });
  await ask();
  t.strictSame(seen[0]?.headers.authorization, 'Bearer first', 'and not the caller’s');
  const kept = service.sockets.size;

  write('token', 'second');
  await waitFor('the reload', () => events.some(({ event }) => event === 'credentials-reloaded'));
  await ask();
  t.equal(seen[1]?.headers.authorization, 'Bearer second');
  t.equal(service.sockets.size, kept, 'over the connections that there are');
  const feed = await serviceTransport(table.http('kube'))({
    method: 'GET',
    path: '/api/v1/pods',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(5000),
  });
  await readAll(feed.body, 1000);
  t.equal(seen[2]?.headers.authorization, 'Bearer second', 'what the agent itself asks has it too');

  write('token', 'two words\n');
  await waitFor('the failure', () => events.some(({ event }) => event === 'credentials-reload-failed'));
  await ask();
  t.equal(seen[3]?.headers.authorization, 'Bearer second', 'a file that is damaged changes nothing');
});

test('a client certificate comes from files, and new connections show the new one', async (t) => {
  const server = await selfSigned('localhost');
  const [first, second] = [await selfSigned('first'), await selfSigned('second')];
  const shown: string[] = [];
  const options = { cert: server.cert, key: server.key, requestCert: true, rejectUnauthorized: false };
  const service = await listen(
    createHttpsServer(options, (request, response) => {
      shown.push(nameOf(request.socket as TLSSocket) ?? '');
      response.end();
    }),
  );
  t.teardown(() => service.close());
  const tls = {
    caFile: write('ca.pem', server.cert),
    certFile: write('cert.pem', first.cert),
    keyFile: write('key.pem', first.key),
  };
  const { ask, events } = openTable(t, { url: `https://localhost:${service.port}`, tls });
  await ask();
  t.equal(shown[0], 'first');

  write('key.pem', second.key);
  await waitFor('the key alone to be refused', () => events.some(({ event }) => event === 'credentials-reload-failed'));
  await ask();
  t.equal(shown[1], 'first');
  write('cert.pem', second.cert);
  await waitFor('the reload', () => events.some(({ event }) => event === 'credentials-reloaded'));
  await ask();
  t.equal(shown[2], 'second');
});

test('a kubeconfig says server, CA and credentials, also by files beside it', async (t) => {
  const server = await selfSigned('localhost');
  const client = await selfSigned('client');
  const seen: { url: string | undefined; authorization: string | undefined; cert: string | undefined }[] = [];
  const options = { cert: server.cert, key: server.key, requestCert: true, rejectUnauthorized: false };
  const service = await listen(
    createHttpsServer(options, ({ url, headers, socket }, response) => {
      seen.push({ url, authorization: headers.authorization, cert: nameOf(socket as TLSSocket) });
      response.end();
    }),
  );
  t.teardown(() => service.close());
  mkdirSync(join(folder, 'pki'), { recursive: true });
  write('pki/ca.pem', server.cert);
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const address = `https://localhost:${service.port}/k8s`;
  const byToken = write(
    'kube-token.yaml',
    kubeconfig(address, { 'certificate-authority': 'pki/ca.pem' }, { token: 'abc' }),
  );
  const tokenTable = openTable(t, { kubeconfig: byToken });
  await tokenTable.ask();
  t.match(seen[0], { url: '/k8s/api', authorization: 'Bearer abc', cert: undefined });
  write('kube-token.yaml', kubeconfig(address, { 'certificate-authority': 'pki/ca.pem' }, { token: 'def' }));
  await waitFor('the reload', () => tokenTable.events.some(({ event }) => event === 'credentials-reloaded'));
  await tokenTable.ask();
  t.equal(seen[1]?.authorization, 'Bearer def');

  const user = { 'client-certificate-data': base64(client.cert), 'client-key-data': base64(client.key) };
  const cluster = { 'certificate-authority-data': base64(server.cert) };
  const byCertificate = write('kube-cert.yaml', kubeconfig(address, cluster, user));
  await openTable(t, { kubeconfig: byCertificate }).ask();
  t.match(seen[2], { authorization: undefined, cert: 'client' });
});

test('credentials that cannot be used are refused at the start, by what is wrong with them', async (t) => {
  const open = (config: Partial<HttpServiceConfig>) => () =>
    new ServiceTable({ services: [{ name: 'kube', kind: 'http', ...config }] });
  const kube = (cluster: object, user: object, name = 'bad.yaml') => {
    return open({ kubeconfig: write(name, kubeconfig('https://localhost:1', cluster, user)) });
  };
  const url = 'http://127.0.0.1:1';
  t.throws(open({}), { code: 'service-invalid', message: /url is missing/u });
  t.throws(open({ url, tokenFile: join(folder, 'none') }), { code: 'credentials-invalid', message: /none: ENOENT/u });
  t.throws(open({ url, tokenFile: write('empty', '\n') }), { code: 'credentials-invalid', message: /empty/u });
  t.throws(open({ url, kubeconfig: 'x' }), { code: 'service-invalid', message: /in place of/u });
  t.throws(open({ url, tokenFile: write('t', 'x'), headers: { authorization: 'x' } }), { code: 'service-invalid' });
  t.throws(open({ url, tls: { cert: 'x' } }), { code: 'service-invalid', message: /needs its key/u });
  t.throws(open({ url, tls: { ca: 'x' } }), { code: 'credentials-invalid' });
  t.throws(kube({}, { exec: { command: 'sh' } }), { code: 'credentials-invalid', message: /exec is not supported/u });
  t.throws(kube({}, { username: 'a', password: 'b' }), { code: 'credentials-invalid', message: /username/u });
  t.throws(kube({}, { as: 'root', token: 'x' }), { code: 'credentials-invalid', message: /as is not supported/u });
  t.throws(kube({ 'insecure-skip-tls-verify': true }, {}), {
    code: 'credentials-invalid',
    message: /always verified/u,
  });
  t.throws(kube({ 'proxy-url': 'http://p' }, {}), { code: 'credentials-invalid', message: /proxy-url/u });
  t.throws(open({ kubeconfig: write('none.yaml', 'a: [') }), { code: 'credentials-invalid', message: /line 1/u });
  t.throws(open({ kubeconfig: write('long.yaml', '#'.repeat(1024 * 1024 + 1)) }), { message: /longer than/u });
});

/** The common name of the certificate that a client showed. */
function nameOf(socket: TLSSocket): string | undefined {
  return socket.getPeerX509Certificate()?.subject.replace('CN=', '');
}

function kubeconfig(server: string, cluster: object, user: object): string {
  return formatYaml({
    'apiVersion': 'v1',
    'kind': 'Config',
    'current-context': 'here',
    'contexts': [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    'clusters': [{ name: 'c', cluster: { server, ...cluster } }],
    'users': [{ name: 'u', user }],
  });
}
