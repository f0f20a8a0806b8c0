import { request as httpsRequest } from 'node:https';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { openEdgePath, readAnswer, until, type EdgePath } from '../support/edge-path.ts';
import { selfSigned } from '../support/self-signed.ts';

const WEB = '/edges/edge-1/web';
const tls = await selfSigned('gateway.local');

async function closed(path: EdgePath): Promise<void> {
  await until(() => path.opener.streams.size === 0, 'all streams to close');
}

function openSession(t: Test, path: EdgePath): ClientHttp2Session {
  const session = connectHttp2(`https://127.0.0.1:${path.port}`, { ca: tls.cert });
  t.teardown(() => session.destroy());
  return session;
}

interface Http2Answer {
  status: number;
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  body: string;
  error: Error | undefined;
}

function askHttp2(session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<Http2Answer> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const answer: Http2Answer = { status: 0, headers: {}, trailers: {}, body: '', error: undefined };
  return new Promise((resolve) => {
    stream.on('response', (received) => {
      answer.status = Number(received[':status']);
      answer.headers = received;
    });
    stream.on('trailers', (received) => {
      answer.trailers = received;
    });
    stream.on('data', (chunk: Buffer) => {
      answer.body += chunk.toString();
    });
    stream.on('error', (error) => {
      answer.error = error;
    });
    stream.on('close', () => resolve(answer));
  });
}

t.test('HTTP/2 clients get what HTTP/1.1 clients get', async (t) => {
  const path = await openEdgePath(t, {
    tls,
    handler: (request, response) => {
      if (request.url === '/cut') {
        response.write('part', () => setImmediate(() => response.destroy()));
        return;
      }
      void readAnswer(request).then(({ body }) => {
        response.writeHead(200, request.method === 'HEAD' ? {} : { Trailer: 'X-Sum', Connection: 'keep-alive' });
        const { headers } = request;
        const framing = headers['content-length'] ?? headers['transfer-encoding'];
        response.write(
          [
            request.method,
            request.url,
            headers['x-forwarded-proto'],
            headers['x-forwarded-host'],
            framing,
            body.toString(),
          ].join(' '),
        );
        response.addTrailers({ 'X-Sum': '1' });
        return response.end();
      });
    },
  });
  const session = openSession(t, path);
  const get = await askHttp2(session, { ':path': `${WEB}/x?y` });
  t.equal(get.body, `GET /x?y https 127.0.0.1:${path.port}  `);
  t.equal(get.trailers['x-sum'], '1');
  t.equal(
    (await askHttp2(session, { ':path': WEB, ':method': 'POST' }, 'abc')).body,
    `POST / https 127.0.0.1:${path.port} chunked abc`,
  );
  t.equal(
    (await askHttp2(session, { ':path': WEB, ':method': 'POST', 'content-length': '3' }, 'abc')).body,
    `POST / https 127.0.0.1:${path.port} 3 abc`,
  );
  t.equal((await askHttp2(session, { ':path': WEB, ':method': 'HEAD' })).status, 200);
  const refused = await askHttp2(session, { ':path': '/edges/edge-1/none/' });
  t.match(refused, { status: 404, headers: { 'causeway-code': 'service-unknown' } });
  const cut = await askHttp2(session, { ':path': `${WEB}/cut` });
  t.match(cut, { status: 200, body: 'part', error: { code: 'ERR_HTTP2_STREAM_ERROR' } });
  await closed(path);
});

t.test('an HTTP/2 client that gives up ends its request at the upstream', async (t) => {
  const path = await openEdgePath(t, { tls, handler: (_request, response) => void response.write('first') });
  const stream = openSession(t, path).request({ ':path': WEB });
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('data', resolve));
  stream.close(8);
  await until(() => path.upstream.sockets.size === 0, 'the upstream connection to go');
  await closed(path);
});

t.test('HTTP/1.1 works beside it: plain requests, WebSockets, and CONNECT with half-close', async (t) => {
  const echo = createTcpServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    // Answers only when the client has ended.
    socket.on('end', () => socket.end(text.toUpperCase()));
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void echo.close());
  const address = echo.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const path = await openEdgePath(t, { tls, services: [{ name: 'echo', kind: 'tcp', address: `127.0.0.1:${port}` }] });
  const plain = await new Promise<string>((resolve, reject) => {
    const request = httpsRequest(
      { host: '127.0.0.1', port: path.port, path: WEB, ca: tls.cert, agent: false },
      (response) => {
        void readAnswer(response).then(({ body }) => resolve(body.toString()));
      },
    );
    request.on('error', reject);
    request.end();
  });
  t.equal(plain, 'ok');
  const wss = new WebSocketServer({ server: path.upstream.server });
  wss.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(data)));
  const socket = new WebSocket(`wss://127.0.0.1:${path.port}${WEB}`, { ca: tls.cert });
  await new Promise((resolve) => socket.on('open', resolve));
  socket.send('echo');
  t.equal(String(await new Promise((resolve) => socket.once('message', resolve))), 'echo');
  socket.close();
  await new Promise((resolve) => socket.on('close', resolve));
  wss.close();
  const text = await new Promise<string>((resolve, reject) => {
    // Node's types leave `allowHalfOpen` out.
    const options = {
      host: '127.0.0.1',
      port: path.port,
      ca: tls.cert,
      allowHalfOpen: true,
      ALPNProtocols: ['http/1.1'],
    };
    const client = connectTls(options, () => {
      client.write('CONNECT echo.edge-1.edge.causeway:443 HTTP/1.1\r\nHost: x\r\n\r\n');
      client.end('half');
    });
    let all = '';
    client.on('data', (chunk: Buffer) => {
      all += chunk.toString();
    });
    client.on('end', () => resolve(all));
    client.on('error', reject);
  });
  t.match(text, /^HTTP\/1.1 200 .*\r\n\r\nHALF$/s);
  await closed(path);
});
