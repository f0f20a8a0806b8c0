import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { tunnelError } from '../../tunnel/index.ts';
import { exchangeBytes, fetchOnce, openEdgePath, readAnswer, until, type EdgePath } from '../support/edge-path.ts';

const WEB = '/edges/edge-1/web';

/** Nothing is left of the streams that the test made. */
async function closed(path: EdgePath): Promise<void> {
  await until(() => path.opener.streams.size === 0, 'all streams to close');
}

t.test('a GET passes its path byte for byte and comes back with status, headers and body', async (t) => {
  const seen: (string | undefined)[] = [];
  const path = await openEdgePath(t, {
    handler: (request, response) => {
      seen.push(request.method, request.url, request.headers.host);
      response.writeHead(201, 'Made Up', [
        'X-One',
        'a',
        'x-one',
        'b',
        'Content-Type',
        'text/plain',
        'Content-Length',
        '5',
      ]);
      response.end('hello');
    },
  });
  const answer = await fetchOnce(path.port, { path: `${WEB}/a%2Fb//c;d=1/?q=%2e%2e&x=y z`.replace(' ', '+') });
  t.equal(answer.status, 201);
  t.equal(answer.body.toString(), 'hello');
  t.equal(answer.headers['content-length'], '5');
  t.match(answer.rawHeaders.join('|'), /X-One\|a\|x-one\|b/);
  t.same(seen, ['GET', '/a%2Fb//c;d=1/?q=%2e%2e&x=y+z', `127.0.0.1:${path.upstream.port}`]);
  await closed(path);
  t.match(path.outcomes, [{ status: 201, code: undefined, requestBytes: 0, responseBytes: 5 }]);
});

t.test('a small answer is one write of the stream', async (t) => {
  const path = await openEdgePath(t, { handler: (_request, response) => response.end(Buffer.alloc(1024)) });
  const writes: number[][] = [];
  path.opener.onOpen = (stream) => void stream.on('close', () => writes.push(stream.writes));
  await fetchOnce(path.port, { path: WEB });
  await closed(path);
  t.equal(writes[0]?.length, 1);
});

t.test('bodies of any size pass both ways', async (t) => {
  const path = await openEdgePath(t, { handler: (request, response) => request.pipe(response) });
  for (const bytes of [0, 1, 8192, 8193, 3_000_000]) {
    const body = Buffer.alloc(bytes, 'x');
    const answer = await fetchOnce(path.port, {
      method: 'POST',
      path: `${WEB}/echo`,
      body,
      headers: { 'content-length': bytes },
    });
    t.equal(answer.status, 200);
    t.ok(answer.body.equals(body), `${bytes} bytes`);
  }
  await closed(path);
});

t.test('a chunked upload stays chunked, and a DELETE or GET may have a body', async (t) => {
  const path = await openEdgePath(t, {
    handler: (request, response) => {
      void readAnswer(request).then(({ body }) =>
        response.end(`${request.method} ${request.headers['transfer-encoding']} ${body.toString()}`),
      );
    },
  });
  for (const method of ['POST', 'DELETE', 'GET']) {
    const answer = await fetchOnce(path.port, {
      method,
      path: WEB,
      headers: { 'transfer-encoding': 'chunked' },
      body: 'abc',
    });
    t.equal(answer.body.toString(), `${method} chunked abc`);
  }
  await closed(path);
});

t.test('a slow reader holds the upstream back', async (t) => {
  let written = 0;
  const path = await openEdgePath(t, {
    handler: (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (written < 50_000_000) {
          written += chunk.length;
          if (!response.write(chunk)) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    },
  });
  const response = await new Promise<IncomingMessage>((resolve) => {
    httpRequest({ port: path.port, host: '127.0.0.1', path: WEB, agent: false }, resolve).end();
  });
  response.pause();
  let before = -1;
  let same = 0;
  await until(() => {
    same = written === before ? same + 1 : 0;
    before = written;
    return same > 20;
  }, 'the upstream to stop');
  t.ok(written < 50_000_000, `held at ${written}`);
  let received = 0;
  for await (const chunk of response) received += (chunk as Buffer).length;
  t.ok(received >= 50_000_000);
  await closed(path);
});

t.test('trailers pass both ways', async (t) => {
  const path = await openEdgePath(t, {
    handler: (request, response) => {
      void readAnswer(request).then(({ body }) => {
        response.writeHead(200, { Trailer: 'X-Sum' });
        response.write(`${body.toString()} ${request.trailers['x-sum']} te=${String(request.headers.te)}`);
        response.addTrailers({ 'X-Sum': 'answer' });
        return response.end();
      });
    },
  });
  const request = httpRequest({
    port: path.port,
    host: '127.0.0.1',
    method: 'POST',
    path: WEB,
    agent: false,
    headers: { Trailer: 'X-Sum', TE: 'trailers' },
  });
  request.write('body');
  request.addTrailers({ 'X-Sum': 'asked' });
  request.end();
  const answer = await new Promise<IncomingMessage>((resolve) => request.on('response', resolve)).then(readAnswer);
  t.equal(answer.body.toString(), 'body asked te=trailers');
  t.equal(answer.trailers['x-sum'], 'answer');
  await closed(path);
});

t.test('answers without a body have none: HEAD, 204, 304', async (t) => {
  const path = await openEdgePath(t, {
    handler: (request, response) => {
      if (request.url === '/204') response.writeHead(204).end();
      else if (request.url === '/304') response.writeHead(304, { ETag: '"x"' }).end();
      else response.writeHead(200, { 'Content-Length': '1234' }).end();
    },
  });
  const head = await fetchOnce(path.port, { method: 'HEAD', path: WEB });
  t.equal(head.headers['content-length'], '1234');
  t.equal(head.body.length, 0);
  const none = await fetchOnce(path.port, { path: `${WEB}/204` });
  t.equal(none.status, 204);
  t.equal(none.headers['transfer-encoding'], undefined);
  const same = await fetchOnce(path.port, { path: `${WEB}/304` });
  t.equal(same.status, 304);
  t.equal(same.headers.etag, '"x"');
  await closed(path);
});

t.test('server-sent events come one by one, as they are sent', async (t) => {
  let send: (text: string) => void = () => undefined;
  const path = await openEdgePath(t, {
    handler: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      send = (text) => void response.write(text);
    },
  });
  const response = await new Promise<IncomingMessage>((resolve) => {
    httpRequest({ port: path.port, host: '127.0.0.1', path: WEB, agent: false }, resolve).end();
  });
  t.equal(response.headers['content-type'], 'text/event-stream');
  for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
    const event = new Promise((resolve) => response.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    send(text);
    t.equal(await event, text);
  }
  response.destroy();
  await until(() => path.upstream.sockets.size === 0, 'the upstream connection to go with the client');
  await closed(path);
  t.match(path.outcomes, [{ status: 0, code: 'canceled' }]);
});

t.test('Expect: 100-continue is answered by the upstream, or not', async (t) => {
  const path = await openEdgePath(t);
  path.upstream.server.on('checkContinue', (request, response) => {
    if (request.url === '/no') {
      response.writeHead(413).end('too much');
      return;
    }
    response.writeContinue();
    void readAnswer(request).then(({ body }) => response.end(`got ${body.toString()}`));
  });
  const send = (url: string) =>
    httpRequest({
      port: path.port,
      host: '127.0.0.1',
      method: 'PUT',
      path: url,
      agent: false,
      headers: { 'Expect': '100-continue', 'Content-Length': '4' },
    });
  const yes = send(WEB);
  yes.flushHeaders();
  yes.on('continue', () => yes.end('body'));
  const answer = await new Promise<IncomingMessage>((resolve) => yes.on('response', resolve)).then(readAnswer);
  t.equal(answer.body.toString(), 'got body');
  const no = send(`${WEB}/no`);
  no.flushHeaders();
  no.on('continue', () => t.fail('100 for a body that is not wanted'));
  const refusal = await new Promise<IncomingMessage>((resolve) => no.on('response', resolve)).then(readAnswer);
  t.equal(refusal.status, 413);
  t.equal(refusal.headers.connection, 'close');
  no.destroy();
  await closed(path);
});

t.test('103 Early Hints come before the answer', async (t) => {
  const path = await openEdgePath(t, {
    handler: (_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.end('late');
    },
  });
  const request = httpRequest({ port: path.port, host: '127.0.0.1', path: WEB, agent: false });
  const hints: unknown[] = [];
  request.on('information', (info) => hints.push(info.statusCode, info.headers.link));
  request.end();
  const answer = await new Promise<IncomingMessage>((resolve) => request.on('response', resolve)).then(readAnswer);
  t.same(hints, [103, '</a.css>; rel=preload']);
  t.equal(answer.body.toString(), 'late');
  await closed(path);
});

t.test('WebSockets echo, whoever speaks first', async (t) => {
  const path = await openEdgePath(t);
  const wss = new WebSocketServer({ server: path.upstream.server });
  wss.on('connection', (socket, request) => {
    socket.send(`welcome to ${request.url}`);
    socket.on('message', (data: Buffer) => socket.send(data));
  });
  const socket = new WebSocket(`ws://127.0.0.1:${path.port}${WEB}/chat`);
  const messages: string[] = [];
  socket.on('message', (data: Buffer) =>
    messages.push(data.length > 100 ? createHash('sha1').update(data).digest('hex') : data.toString()),
  );
  await new Promise((resolve) => socket.on('open', resolve));
  const large = Buffer.alloc(1_000_000, 'z');
  socket.send('hi');
  socket.send(large);
  await until(() => messages.length === 3);
  t.same(messages, ['welcome to /chat', 'hi', createHash('sha1').update(large).digest('hex')]);
  socket.close(1000);
  await new Promise((resolve) => socket.on('close', resolve));
  wss.close();
  await closed(path);
  t.match(path.outcomes, [{ status: 101, code: undefined }]);
});

t.test('any protocol can be switched to, and each side can close its half', async (t) => {
  const path = await openEdgePath(t);
  path.upstream.server.on('upgrade', (request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\nX-Stream: v4\r\n\r\nfirst`,
    );
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
    socket.on('end', () => socket.end('bye'));
  });
  const request = httpRequest({
    port: path.port,
    host: '127.0.0.1',
    method: 'POST',
    path: WEB,
    agent: false,
    headers: { 'Connection': 'Upgrade', 'Upgrade': 'SPDY/3.1', 'Content-Length': '0' },
  });
  request.end();
  const text = await new Promise<string>((resolve) => {
    request.on('upgrade', (response, socket, head: Buffer) => {
      let all = head.toString();
      t.equal(response.headers.upgrade, 'SPDY/3.1');
      t.equal(response.headers['x-stream'], 'v4');
      socket.on('data', (chunk: Buffer) => {
        all += chunk.toString();
      });
      socket.on('end', () => resolve(all));
      socket.end('shout');
    });
  });
  t.equal(text, 'firstSHOUTbye');
  await closed(path);
});

t.test('an upgrade that the upstream refuses is a plain answer', async (t) => {
  const path = await openEdgePath(t, {
    handler: (_request, response) => response.writeHead(403, { 'x-why': 'because' }).end('no'),
  });
  path.upstream.server.on('upgrade', (_request, socket) =>
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: because\r\n\r\nno'),
  );
  const answer = await fetchOnce(path.port, { path: WEB, headers: { Connection: 'Upgrade', Upgrade: 'websocket' } });
  t.equal(answer.status, 403);
  t.equal(answer.headers['x-why'], 'because');
  t.equal(answer.body.toString(), 'no');
  await closed(path);
});

t.test('h2c and upgrades with bodies are plain requests', async (t) => {
  const path = await openEdgePath(t, { handler: (request, response) => request.pipe(response) });
  const h2c = await fetchOnce(path.port, {
    path: WEB,
    headers: { 'Connection': 'Upgrade, HTTP2-Settings', 'Upgrade': 'h2c', 'HTTP2-Settings': 'AAMAAABk' },
  });
  t.equal(h2c.status, 200);
  const body = await fetchOnce(path.port, {
    method: 'POST',
    path: WEB,
    body: 'abc',
    headers: { 'Connection': 'Upgrade', 'Upgrade': 'foo', 'Content-Length': '3' },
  });
  t.equal(body.body.toString(), 'abc');
  await closed(path);
});

t.test('headers of the connection, of identity and of origin do not pass, and ours are written', async (t) => {
  let received: IncomingMessage['headers'] = {};
  const path = await openEdgePath(t, {
    service: { headers: { 'X-Api-Key': 'secret of the edge' }, principalHeader: 'Impersonate-User' },
    handler: (request, response) => {
      received = request.headers;
      response.writeHead(200, [
        'Connection',
        'X-Private',
        'X-Private',
        '1',
        'Keep-Alive',
        'timeout=9',
        'Proxy-Authenticate',
        'Basic',
        'Alt-Svc',
        'h3=":1"',
        'Strict-Transport-Security',
        'max-age=1',
        'X-Kept',
        '1',
      ]);
      response.end();
    },
  });
  const answer = await fetchOnce(path.port, {
    path: WEB,
    headers: {
      'Host': 'gateway.example',
      'Connection': 'close, X-Hop',
      'X-Hop': '1',
      'Keep-Alive': '1',
      'Proxy-Authorization': 'Basic x',
      'X-Remote-User': 'root',
      'X_Remote_Group': 'system:masters',
      'Impersonate-User': 'root',
      'Impersonate-Extra-a': '1',
      'X-Forwarded-For': '6.6.6.6',
      'X-Forwarded-Client-Cert': 'forged',
      'Forwarded': 'for=6.6.6.6',
      'X-Api-Key': 'guess',
      'Authorization': 'Bearer token of the gateway',
      'Cookie': 'kept=1',
    },
  });
  const names = Object.keys(received)
    .filter((name) => name !== 'connection')
    .toSorted();
  t.same(names, [
    'cookie',
    'host',
    'impersonate-user',
    'via',
    'x-api-key',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-prefix',
    'x-forwarded-proto',
  ]);
  t.match(received, {
    'impersonate-user': 'operator/test',
    'x-api-key': 'secret of the edge',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'gateway.example',
    'x-forwarded-prefix': WEB,
    'x-forwarded-proto': 'http',
    'via': '1.1 causeway',
  });
  t.equal(answer.headers['x-kept'], '1');
  for (const name of ['x-private', 'proxy-authenticate', 'alt-svc', 'strict-transport-security'])
    t.equal(answer.headers[name], undefined, name);
  await closed(path);
});

t.test("a caller's Authorization passes when it did not authenticate the caller here", async (t) => {
  const path = await openEdgePath(t, {
    front: { ownHeaders: () => [] },
    service: { passAuthorization: true },
    handler: (request, response) => response.end(request.headers.authorization),
  });
  const answer = await fetchOnce(path.port, { path: WEB, headers: { Authorization: 'Basic abc' } });
  t.equal(answer.body.toString(), 'Basic abc');
  await closed(path);
});

t.test('a client that goes away in the middle of its upload ends the request at the upstream', async (t) => {
  let aborted = false;
  let got = 0;
  const path = await openEdgePath(t, {
    handler: (request) => {
      request.on('data', (chunk: Buffer) => {
        got += chunk.length;
      });
      request.on('close', () => {
        aborted = !request.complete;
      });
    },
  });
  const request = httpRequest({ port: path.port, host: '127.0.0.1', method: 'POST', path: WEB, agent: false });
  request.on('error', () => undefined);
  request.write('part');
  await until(() => got === 4);
  request.destroy();
  await until(() => aborted, 'the upstream to see the abort');
  await closed(path);
});

t.test('an upstream that dies in the middle of its answer cuts the answer', async (t) => {
  for (const headers of [{}, { 'content-length': '100' }]) {
    const path = await openEdgePath(t, {
      handler: (_request, response) => {
        response.writeHead(200, headers);
        response.write('part', () => setImmediate(() => response.destroy()));
      },
    });
    await t.rejects(fetchOnce(path.port, { path: WEB }), 'the client sees that it is cut');
    await closed(path);
    t.match(path.outcomes, [{ status: 200, code: 'upstream-failed' }]);
  }
});

t.test('an answer that comes before the end of the upload is whole', async (t) => {
  const path = await openEdgePath(t, {
    handler: (_request, response) => response.writeHead(413, { connection: 'close' }).end('enough'),
  });
  const request = httpRequest({ port: path.port, host: '127.0.0.1', method: 'POST', path: WEB, agent: false });
  request.on('error', () => undefined);
  request.write(Buffer.alloc(100_000));
  const answer = await new Promise<IncomingMessage>((resolve) => request.on('response', resolve)).then(readAnswer);
  t.equal(answer.status, 413);
  t.equal(answer.body.toString(), 'enough');
  request.destroy();
  await closed(path);
});

t.test('what fails before an answer is a Status of Kubernetes with the code', async (t) => {
  const path = await openEdgePath(t, { service: { url: 'http://127.0.0.1:1' } });
  const refused = await fetchOnce(path.port, { method: 'POST', path: WEB, body: 'x' });
  t.equal(refused.status, 502);
  t.equal(refused.headers['causeway-code'], 'upstream-refused');
  t.match(JSON.parse(refused.body.toString()), { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 502 });
  const unknown = await fetchOnce(path.port, { path: '/edges/edge-1/nothing/' });
  t.equal(unknown.status, 404);
  t.match(JSON.parse(unknown.body.toString()), { reason: 'NotFound', code: 404 });
  const upgrade = await fetchOnce(path.port, {
    path: '/edges/edge-1/nothing/',
    headers: { Connection: 'Upgrade', Upgrade: 'x' },
  });
  t.equal(upgrade.headers['causeway-code'], 'service-unknown');
  for (const [target, status] of [
    ['/edges/Edge/web/', 404],
    ['/edges/edge-1/web/../x', 400],
    ['/edges/edge-1', 404],
    ['/other', 404],
    ['/edges/edge-1%2fweb/web/', 404],
  ] as const) {
    t.equal((await fetchOnce(path.port, { path: target })).status, status, target);
  }
  await closed(path);
});

t.test('policy refuses before a stream is opened', async (t) => {
  const path = await openEdgePath(t, {
    front: {
      policy: (target) => {
        if (target.path === '/secret') throw tunnelError('denied');
      },
    },
  });
  t.equal((await fetchOnce(path.port, { path: `${WEB}/secret` })).status, 403);
  t.equal((await fetchOnce(path.port, { path: `${WEB}/open` })).status, 200);
  await closed(path);
});

t.test('a length and chunks at once do not pass', async (t) => {
  let requests = 0;
  const path = await openEdgePath(t, {
    handler: (_request, response) => {
      requests += 1;
      response.end();
    },
  });
  const text = await exchangeBytes(
    path.port,
    `POST ${WEB} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /edges/edge-1/web/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`,
  );
  t.match(text, /^HTTP\/1.1 400/);
  t.equal(requests, 0);
  await closed(path);
});

t.test('absolute-form requests reach services by name', async (t) => {
  const path = await openEdgePath(t, {
    handler: (request, response) => response.end(`${request.url} ${String(request.headers['x-forwarded-host'])}`),
  });
  const answer = await fetchOnce(path.port, { path: 'http://WEB.edge-1.edge.causeway/time?x=1' });
  t.equal(answer.body.toString(), '/time?x=1 WEB.edge-1.edge.causeway');
  t.equal(
    (await fetchOnce(path.port, { path: 'http://10.0.0.7.edge-1.edge.causeway:80/' })).headers['causeway-code'],
    'address-needs-connect',
  );
  t.equal((await fetchOnce(path.port, { path: 'http://example.com/' })).body.toString(), 'not for an edge');
  await closed(path);
});

t.test(
  'CONNECT reaches a declared TCP service and an allowed address, with half-close, and nothing else',
  async (t) => {
    const echo = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const address = echo.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const path = await openEdgePath(t, {
      services: [{ name: 'echo', kind: 'tcp', address: `127.0.0.1:${port}` }],
      addresses: [`127.0.0.1:${port}`],
    });
    const through = (authority: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ port: path.port, host: '127.0.0.1', allowHalfOpen: true }, () => {
          socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
          socket.end('early bytes');
        });
        let text = '';
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        socket.on('end', () => resolve(text));
        socket.on('error', reject);
      });
    t.match(await through('echo.edge-1.edge.causeway:443'), /^HTTP\/1.1 200 .*\r\n\r\nearly bytes$/s);
    t.match(await through(`127.0.0.1.edge-1.edge.causeway:${port}`), /^HTTP\/1.1 200 .*\r\n\r\nearly bytes$/s);
    t.match(await through('127.0.0.1.edge-1.edge.causeway:22'), /^HTTP\/1.1 403 .*"code":403/s);
    t.match(await through('web.edge-1.edge.causeway:443'), /^HTTP\/1.1 404 .*of kind http/s);
    t.match(await through('example.com:443'), /^HTTP\/1.1 404 .*authority-unknown/s);
    await closed(path);
    t.match(
      path.outcomes.find(({ status, code }) => status === 200 && code === undefined),
      { requestBytes: 11, responseBytes: 11 },
    );
    await new Promise((resolve) => echo.close(resolve));
  },
);

t.test('many requests on one kept-alive connection, with pipelining, keep their order', async (t) => {
  const path = await openEdgePath(t, {
    handler: (request, response) => setTimeout(() => response.end(request.url), request.url === '/0' ? 20 : 0),
  });
  const requests = [0, 1, 2, 3]
    .map((n) => `GET ${WEB}/${n} HTTP/1.1\r\nHost: x\r\n${n === 3 ? 'Connection: close\r\n' : ''}\r\n`)
    .join('');
  const text = await exchangeBytes(path.port, requests);
  t.same(
    text
      .split('\r\n\r\n')
      .slice(1)
      .map((part) => part.slice(0, 2)),
    ['/0', '/1', '/2', '/3'],
  );
  await closed(path);
});
