import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import {
  ServiceTable,
  type HttpServiceConfig,
  type ServicesConfig,
  type ServiceTableOptions,
} from '../../edge-agent/services/index.ts';
import {
  encodeRequestHead,
  type HttpResponseHead,
  RecordReader,
  RecordWriter,
  type StreamTarget,
  tunnelError,
} from '../../tunnel/index.ts';
import type { HttpRequestHead } from '../../tunnel/http-head.ts';
import { codeOf } from '../../base/index.ts';
import { listen, readAnswer, until } from '../support/edge-path.ts';
import { selfSigned } from '../support/self-signed.ts';
import { MemoryOpener, type PairedStream } from '../support/stream-pair.ts';

interface Outcome {
  head: HttpResponseHead | undefined;
  infos: number[];
  body: string;
  code: string | undefined;
}

function openTable(t: Test, config: ServicesConfig, options?: ServiceTableOptions): MemoryOpener {
  const table = new ServiceTable(config, options);
  const opener = new MemoryOpener((stream) => table.dispatchStream(stream));
  t.teardown(() => table.destroy());
  return opener;
}

function web(url: string | number, more: Partial<HttpServiceConfig> = {}): ServicesConfig {
  return {
    services: [{ name: 'web', kind: 'http', url: typeof url === 'number' ? `http://127.0.0.1:${url}` : url, ...more }],
  };
}

const target: StreamTarget = {
  edge: 'edge-1',
  service: 'web',
  kind: 'http',
  verb: 'GET',
  path: '/',
  principal: 'operator/test',
};

/** Sends a request as an SDK would and waits for its end, whichever it is. */
function ask(
  opener: MemoryOpener,
  more: Partial<StreamTarget> = {},
  head: HttpRequestHead | Buffer = { headers: [] },
  send?: (writer: RecordWriter, stream: PairedStream) => void,
): Promise<Outcome> {
  const stream = opener.open({ ...target, ...more }, { head: Buffer.isBuffer(head) ? head : encodeRequestHead(head) });
  const outcome: Outcome = { head: undefined, infos: [], body: '', code: undefined };
  const reader = new RecordReader('head', {
    onInfo: ({ status }) => outcome.infos.push(status),
    onHead: (answered) => {
      outcome.head = answered;
    },
    onData: (chunk) => {
      outcome.body += chunk.toString();
    },
    onTrailers: () => undefined,
    onEnd: () => undefined,
    onRaw: () => undefined,
  });
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => reader.push(chunk));
    stream.on('error', (error) => {
      outcome.code = codeOf(error);
    });
    stream.on('close', () => resolve(outcome));
    if (send === undefined) stream.end();
    else send(new RecordWriter(stream), stream);
  });
}

async function drained(opener: MemoryOpener): Promise<void> {
  await until(() => opener.streams.size === 0, 'all streams to close');
}

async function listenTcp(
  t: Test,
  onSocket: (socket: Socket) => void,
): Promise<{ port: number; server: Server; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, server, sockets };
}

t.test('the agent itself decides what reaches a service, whatever the opener sends', async (t) => {
  let received: IncomingMessage | undefined;
  const upstream = await listen(
    createHttpServer((request, response) => {
      received = request;
      response.end();
    }),
  );
  t.teardown(() => upstream.close());
  const opener = openTable(
    t,
    web(`http://127.0.0.1:${upstream.port}/base/`, {
      headers: { Authorization: 'Bearer edge' },
      principalHeader: 'X-Remote-User',
    }),
  );
  const headers = [
    'Host',
    'evil',
    'Connection',
    'X-Secret',
    'X-Secret',
    '1',
    'Transfer-Encoding',
    'chunked',
    'Content-Length',
    '5',
    'Expect',
    '100-continue',
    'Trailer',
    'X',
    'authorization',
    'Bearer mine',
    'X-Remote-User',
    'root',
    'x_remote_user',
    'root',
    'Impersonate-Group',
    'admin',
    'Kept',
    '1',
    'kept',
    '2',
  ];
  const { head } = await ask(opener, { path: '/x?y=/../' }, { headers });
  t.equal(head?.status, 200);
  t.equal(received?.url, '/base/x?y=/../');
  t.same(
    received?.rawHeaders.filter((_text, index) => index % 2 === 0).map((name) => name.toLowerCase()),
    ['host', 'connection', 'kept', 'kept', 'authorization', 'x-remote-user'],
  );
  t.match(received?.headers, {
    'host': `127.0.0.1:${upstream.port}`,
    'authorization': 'Bearer edge',
    'x-remote-user': 'operator/test',
  });
  await drained(opener);
});

t.test('a Kubernetes API sees the caller as its user where the edge says so, and nobody can be another', async (t) => {
  let received: IncomingMessage | undefined;
  const upstream = await listen(
    createHttpServer((request, response) => {
      received = request;
      response.end();
    }),
  );
  t.teardown(() => upstream.close());
  const service = { headers: { Authorization: 'Bearer edge' }, impersonate: true };
  const opener = openTable(t, web(`http://127.0.0.1:${upstream.port}`, service));
  const headers = ['Impersonate-User', 'root', 'impersonate_user', 'root', 'Impersonate-Group', 'system:masters'];
  headers.push('Impersonate-Uid', '0', 'Impersonate-Extra-Scopes', 'all');
  t.equal((await ask(opener, { path: '/api' }, { headers })).head?.status, 200);
  t.same(
    received?.rawHeaders.filter((_text, index) => index % 2 === 0).map((name) => name.toLowerCase()),
    ['host', 'connection', 'authorization', 'impersonate-user'],
  );
  t.equal(received?.headers['impersonate-user'], 'operator/test');

  received = undefined;
  t.equal((await ask(opener, { path: '/api', principal: '' })).code, 'denied');
  t.equal(received, undefined, 'a request of nobody would be one of the agent itself');
  await drained(opener);

  for (const excluded of [{ principalHeader: 'X-Remote-User' }, { allowConnect: true }])
    t.throws(() => new ServiceTable(web('http://127.0.0.1:1', { ...service, ...excluded })), {
      code: 'service-invalid',
      message: /impersonate and/u,
    });
});

t.test('requests that no honest opener sends are refused and not executed', async (t) => {
  let requests = 0;
  const upstream = await listen(
    createHttpServer((_request, response) => {
      requests += 1;
      response.end();
    }),
  );
  t.teardown(() => upstream.close());
  const opener = openTable(t, web(upstream.port));
  const body = { headers: ['Content-Length', '3'], body: true };
  for (const [what, code, outcome] of [
    ['a path that walks up', 'record-malformed', ask(opener, { path: '/../x' })],
    ['a path that is a URL', 'record-malformed', ask(opener, { path: 'http://other/' })],
    ['a path with a line break', 'record-malformed', ask(opener, { path: '/ HTTP/1.1\r\nX: y' })],
    ['a head that is not JSON', 'record-malformed', ask(opener, {}, Buffer.from('{'))],
    ['a header with a line break', 'record-malformed', ask(opener, {}, { headers: ['A', '1\r\nB: 2'] })],
    [
      'such a header before an upgrade',
      'record-malformed',
      ask(opener, {}, { headers: ['A', '1\r\nB: 2'], upgrade: 'x' }),
    ],
    [
      'two lengths',
      'record-malformed',
      ask(opener, { verb: 'POST' }, { headers: ['Content-Length', '3', 'Content-Length', '4'], body: true }),
    ],
    ['TRACE', 'denied', ask(opener, { verb: 'TRACE' })],
    ['CONNECT', 'denied', ask(opener, { verb: 'CONNECT' })],
    ['a method that is none', 'record-malformed', ask(opener, { verb: 'GET / HTTP/1.1\r\n' })],
    ['a service that is not declared', 'service-unknown', ask(opener, { service: 'other' })],
    ['bytes to an HTTP service', 'service-unknown', ask(opener, { kind: 'tcp' })],
    ['a kind that is not ours', 'kind-unknown', ask(opener, { kind: 'sync' })],
  ] as const) {
    t.equal((await outcome).code, code, what);
  }
  t.equal(requests, 0);
  for (const [what, send] of [
    [
      'more body than declared',
      (writer: RecordWriter) => {
        writer.data(Buffer.from('abcGET /x HTTP/1.1\r\n\r\n'));
        writer.end();
      },
    ],
    [
      'less body than declared',
      (writer: RecordWriter) => {
        writer.data(Buffer.from('ab'));
        writer.end();
      },
    ],
    [
      'a body without END',
      (writer: RecordWriter, stream: PairedStream) => {
        writer.data(Buffer.from('ab'));
        setImmediate(() => stream.end());
      },
    ],
    ['no records', (_writer: RecordWriter, stream: PairedStream) => void stream.end('GET / HTTP/1.1\r\n\r\n')],
  ] as const) {
    for (const expectContinue of [false, true]) {
      const { code } = await ask(opener, { verb: 'POST' }, { ...body, expectContinue }, send);
      t.ok(['record-malformed', 'upstream-failed'].includes(code ?? ''), `${what}: ${code}`);
    }
  }
  await drained(opener);
});

t.test('a service that is not there refuses: nothing was executed', async (t) => {
  const opener = openTable(t, web(1));
  t.equal((await ask(opener)).code, 'upstream-refused');
  t.equal(
    (
      await ask(opener, { verb: 'POST' }, { headers: [], body: true }, (writer) => {
        writer.data(Buffer.from('x'));
        writer.end();
      })
    ).code,
    'upstream-refused',
  );
  t.equal((await ask(opener, {}, { headers: [], upgrade: 'websocket' })).code, 'upstream-refused');
  t.equal((await ask(openTable(t, web('http://nowhere.invalid')))).code, 'upstream-refused');
  await drained(opener);
});

t.test(
  'an idle connection that the service closes is tried again for safe requests, once, and never for others',
  async (t) => {
    const seen: string[] = [];
    let mode: 'answer' | 'close-second' | 'close-all' = 'answer';
    const { port } = await listenTcp(t, (socket) => {
      let requests = 0;
      socket.on('data', (chunk: Buffer) => {
        requests += 1;
        seen.push(chunk.toString().split(' ')[0] ?? '');
        if (mode === 'close-all' || (mode === 'close-second' && requests > 1)) socket.destroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    const opener = openTable(t, web(port, { maxConnections: 1 }));
    t.equal((await ask(opener)).body, 'ok');
    mode = 'close-second';
    t.equal((await ask(opener)).body, 'ok', 'the second connection answers');
    t.same(seen, ['GET', 'GET', 'GET']);
    seen.length = 0;
    t.equal((await ask(opener, { verb: 'POST' })).code, 'upstream-failed');
    t.same(seen, ['POST'], 'a POST is sent once');
    mode = 'close-all';
    seen.length = 0;
    t.equal((await ask(opener)).code, 'upstream-failed');
    t.same(seen, ['GET', 'GET'], 'no third try');
    await drained(opener);
  },
);

t.test('an answer that breaks off, is too long or never comes has its reason', async (t) => {
  const { port } = await listenTcp(t, (socket) => {
    socket.once('data', (chunk: Buffer) => {
      const path = chunk.toString().split(' ')[1];
      if (path === '/cut') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
      if (path === '/garbage') socket.end('SSH-2.0-OpenSSH\r\n');
      if (path === '/long') socket.write(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(100_000)}\r\n\r\n`);
      if (path === '/stall') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
    });
  });
  const opener = openTable(t, web(port, { headTimeoutMs: 100, silenceTimeoutMs: 100 }));
  t.match(await ask(opener, { path: '/cut' }), { head: { status: 200 }, body: 'half', code: 'upstream-failed' });
  t.match(await ask(opener, { path: '/garbage' }), { code: 'upstream-failed' });
  t.match(await ask(opener, { path: '/long' }), { code: 'upstream-failed' });
  t.match(await ask(opener, { path: '/never' }), { code: 'upstream-timeout' });
  t.match(await ask(opener, { path: '/stall' }), { body: 'half', code: 'upstream-timeout' });
  for (const path of ['/cut', '/garbage', '/never']) {
    const { code } = await ask(
      opener,
      { path, verb: 'PUT' },
      { headers: ['Content-Length', '1'], body: true, expectContinue: true },
      (writer) => {
        writer.data(Buffer.from('x'));
        writer.end();
      },
    );
    t.equal(code, path === '/never' ? 'upstream-timeout' : 'upstream-failed', path);
  }
  await drained(opener);
});

t.test('an opener that gives up ends the request, before and after the connection stands', async (t) => {
  const { port, sockets } = await listenTcp(t, (socket) => socket.resume().on('end', () => socket.destroy()));
  const opener = openTable(t, web(port));
  for (const head of [{ headers: [] }, { headers: [], upgrade: 'x' }]) {
    const stream = opener.open(target, { head: encodeRequestHead(head) });
    stream.on('error', () => undefined);
    await until(() => sockets.size === 1);
    stream.destroy(tunnelError('canceled'));
    await until(() => sockets.size === 0, 'the connection to go');
  }
  const early = opener.open(target, { head: encodeRequestHead({ headers: [] }) });
  early.on('error', () => undefined);
  setImmediate(() => early.destroy(tunnelError('canceled')));
  await drained(opener);
});

t.test('a slow opener holds the service back, on both kinds of connection', async (t) => {
  const upstream = await listen(createHttpServer((_request, response) => void response.end(Buffer.alloc(20_000_000))));
  upstream.server.on('checkContinue', (_request, response) => void response.end(Buffer.alloc(20_000_000)));
  t.teardown(() => upstream.close());
  const opener = openTable(t, web(upstream.port));
  for (const expectContinue of [false, true]) {
    const stream = opener.open(
      { ...target, verb: 'PUT' },
      { head: encodeRequestHead({ headers: ['Content-Length', '0'], body: true, expectContinue }) },
    );
    const writer = new RecordWriter(stream);
    writer.end();
    const [socket] = await new Promise<Socket[]>((resolve) => {
      void until(
        () => upstream.sockets.size > 0 && [...upstream.sockets].some(({ writableLength }) => writableLength > 0),
      ).then(() => resolve([...upstream.sockets]));
    });
    t.ok((socket?.writableLength ?? 0) > 0, 'bytes wait at the service');
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await new Promise((resolve) => stream.on('close', resolve));
    t.ok(bytes > 20_000_000);
    for (const each of upstream.sockets) each.destroy();
    await until(() => upstream.sockets.size === 0);
  }
});

t.test('https services are verified, always', async (t) => {
  const { cert, key } = await selfSigned('service.local');
  const upstream = createHttpsServer({ cert, key }, (request, response) => {
    void readAnswer(request).then(({ body }) => response.end(`secure ${body.toString()}`));
  });
  const server = await listen(upstream);
  t.teardown(() => server.close());
  const url = `https://127.0.0.1:${server.port}`;
  const upload = (writer: RecordWriter): void => {
    writer.data(Buffer.from('x'));
    writer.end();
  };
  const direct: HttpRequestHead = { headers: [], body: true, trailers: true };
  for (const [tls, expected] of [
    [undefined, 'upstream-tls'],
    [{ ca: cert }, undefined],
    [{ ca: cert, servername: 'service.local' }, undefined],
    [{ ca: cert, servername: 'other.local' }, 'upstream-tls'],
  ] as const) {
    const opener = openTable(t, web(url, tls === undefined ? {} : { tls }));
    const pooled = await ask(opener);
    t.equal(pooled.code, expected, `kept-alive: ${JSON.stringify(tls?.servername)}`);
    const own = await ask(opener, { verb: 'POST' }, direct, upload);
    t.equal(own.code, expected, `own connection: ${JSON.stringify(tls?.servername)}`);
    if (expected === undefined) t.equal(own.body, 'secure x');
    await drained(opener);
  }
});

t.test('a TCP stream is accepted when the connection stands, and refused when it does not', async (t) => {
  const { port } = await listenTcp(t, (socket) => void socket.end('banner'));
  const opener = openTable(t, {
    services: [
      { name: 'ssh', kind: 'tcp', address: `127.0.0.1:${port}` },
      { name: 'gone', kind: 'tcp', address: 'localhost:1' },
    ],
  });
  const stream = opener.open({ ...target, kind: 'tcp', service: 'ssh' });
  let opened = false;
  let text = '';
  stream.on('open', () => {
    opened = true;
  });
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  stream.end();
  await drained(opener);
  t.equal(opened, true);
  t.equal(text, 'banner');
  t.equal((await ask(opener, { kind: 'tcp', service: 'gone' })).code, 'upstream-refused');
});

t.test('a TCP service that resets, and an opener that does, cut the other side', async (t) => {
  const { port, sockets } = await listenTcp(t, (socket) => void socket.on('data', () => socket.resetAndDestroy()));
  const opener = openTable(t, { services: [{ name: 'tcp', kind: 'tcp', address: `127.0.0.1:${port}` }] });
  const first = opener.open({ ...target, kind: 'tcp', service: 'tcp' });
  const failure = new Promise((resolve) => first.on('error', resolve));
  first.write('x');
  t.match(await failure, { code: 'upstream-failed' });
  const second = opener.open({ ...target, kind: 'tcp', service: 'tcp' });
  second.on('error', () => undefined);
  await new Promise((resolve) => second.on('open', resolve));
  await until(() => sockets.size === 1);
  const reset = new Promise((resolve) => [...sockets][0]?.on('error', resolve));
  second.destroy(tunnelError('canceled'));
  t.match(await reset, { code: 'ECONNRESET' }, 'the service can tell it from an end');
  await drained(opener);
});

t.test('only listed addresses are dialed, and of a name only what it resolved to then', async (t) => {
  const { port } = await listenTcp(t, (socket) => void socket.end('in'));
  const names: Record<string, string[]> = {
    'in.lan': ['127.0.0.1'],
    'mapped.lan': ['::ffff:127.0.0.1'],
    'mixed.lan': ['10.9.9.9', '127.0.0.1'],
    'rebound.lan': ['127.0.0.1'],
    'metadata.lan': ['169.254.169.254'],
    'out.lan': ['10.9.9.9'],
    '2130706433': ['127.0.0.1'],
  };
  let lookups = 0;
  const lookup = async (host: string) => {
    lookups += 1;
    const addresses = names[host];
    if (addresses === undefined) throw new Error(`ENOTFOUND ${host}`);
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  const dial = async (addresses: string[], path: string): Promise<string> => {
    const opener = openTable(t, { services: [], addresses }, { lookup });
    const stream = opener.open({ ...target, kind: 'tcp', service: '', path });
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const code = await new Promise<string>((resolve) => {
      stream.on('error', (error) => resolve(codeOf(error)));
      stream.on('end', () => resolve(text));
    });
    stream.end();
    await drained(opener);
    return code;
  };
  const range = [`127.0.0.0/8:${port}`];
  t.equal(await dial(range, `127.0.0.1:${port}`), 'in');
  t.equal(await dial(range, `in.lan:${port}`), 'in', 'a name that resolves into the range');
  t.equal(await dial(range, `mapped.lan:${port}`), 'in', 'one address has one spelling');
  t.equal(await dial(range, `mixed.lan:${port}`), 'in', 'only what is allowed is dialed');
  t.equal(await dial(range, `[::ffff:7f00:1]:${port}`), 'in');
  t.equal(await dial(['127.0.0.1:*'], `127.0.0.1:${port}`), 'in');
  t.equal(await dial([`localhost:${port}`], `127.0.0.1:${port}`), 'in');
  t.equal(await dial(range, 'in.lan:1'), 'address-denied');
  t.equal(await dial(range, `out.lan:${port}`), 'address-denied');
  t.equal(
    await dial([`rebound.lan:${port}`], `rebound.lan:${port}`),
    'address-denied',
    'a name server does not open this machine',
  );
  t.equal(await dial([`metadata.lan:80`], 'metadata.lan:80'), 'address-denied');
  t.equal(await dial([`10.0.0.0/8:${port}`], `2130706433:${port}`), 'address-denied');
  t.equal(await dial(range, `nowhere.lan:${port}`), 'upstream-refused');
  lookups = 0;
  for (const path of [
    '',
    'x',
    ':22',
    'a b:22',
    `127.0.0.1:${port}:1`,
    '127.0.0.1:0',
    '127.0.0.1:99999',
    `unlisted.lan:22`,
  ])
    t.equal(await dial(range, path), 'address-denied', path);
  t.equal(await dial([], '127.0.0.1:22'), 'address-denied');
  t.equal(lookups, 0, 'a name on a port that nobody may dial is not even looked up');
});

t.test('a wrong declaration is refused with its name', async (t) => {
  for (const [config, detail] of [
    [{ services: [{ name: 'No', kind: 'tcp', address: 'a:1' }] }, /"No"/],
    [{ services: [{ name: 'a', kind: 'tcp', address: 'a' }] }, /a: address/],
    [{ services: [{ name: 'a', kind: 'http', url: 'ftp://x' }] }, /a: url/],
    [{ services: [{ name: 'a', kind: 'http', url: 'http://u:p@x' }] }, /a: url/],
    [
      {
        services: [
          { name: 'a', kind: 'tcp', address: 'a:1' },
          { name: 'a', kind: 'tcp', address: 'a:1' },
        ],
      },
      /twice/,
    ],
  ] as const satisfies [ServicesConfig, RegExp][]) {
    t.throws(() => new ServiceTable(config), { code: 'service-invalid', message: detail });
  }
  for (const entry of ['10.0.0.0/33:22', '10.0.0.0/8', 'a/8:1', 'x:0', 'x:99999', '[::1:22', '', '10.0.0.0/x:1']) {
    t.throws(() => new ServiceTable({ services: [], addresses: [entry] }), { code: 'address-invalid' }, entry);
  }
});

t.test('closing waits for what runs, and may be done twice', async (t) => {
  let finish: () => void = () => undefined;
  const upstream = await listen(
    createHttpServer((_request, response) => {
      finish = () => void response.end('done');
    }),
  );
  t.teardown(() => upstream.close());
  const table = new ServiceTable(web(upstream.port));
  const opener = new MemoryOpener((stream) => table.dispatchStream(stream));
  const outcome = ask(opener);
  await until(() => upstream.sockets.size === 1);
  let closed = false;
  const closing = Promise.all([table.close(), table.close()]).finally(() => {
    closed = true;
  });
  await until(() => finish.length === 0 && upstream.sockets.size === 1);
  t.equal(closed, false);
  await until(() => {
    finish();
    return closed;
  });
  await closing;
  t.equal((await outcome).body, 'done');
  await table.destroy();
});
