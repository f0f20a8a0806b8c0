import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Counter, idOf } from './counter.ts';
import { echoWebSockets } from './web-socket-echo.ts';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_SLOW_MS = 600_000;
const BLOCK = Buffer.from(Array.from({ length: 64 * 1024 }, (_, index) => index % 256));

/** The demo service `hello`: one path for each kind of answer that a tunnel has to carry. */
export function createHelloServer(edge: string): Server {
  const counter = new Counter();
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 75_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) sendText(response, 500, `${String(error)}\n`);
      else response.destroy();
    });
  });
  echoWebSockets(server, '/ws');
  return server;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://demo');
    const bytes = /^\/bytes\/(\d{1,13})$/u.exec(pathname)?.[1];
    if (bytes !== undefined) return sendBytes(response, Number(bytes));
    switch (pathname) {
      case '/':
        return sendText(response, 200, `Hello from ${edge}\n`);
      case '/time':
        return sendText(response, 200, `${new Date().toISOString()}\n`);
      case '/slow':
        await delay(Math.min(MAX_SLOW_MS, Math.max(0, Number(searchParams.get('ms') ?? 1000) || 0)));
        return sendText(response, 200, `Hello from ${edge}, slowly\n`);
      case '/count': {
        const asked = searchParams.get('id');
        if (request.method === 'POST') return count(response, idOf(searchParams, await textOf(request)));
        return sendJson(response, 200, asked === null ? counter.all : { id: asked, count: counter.of(asked) });
      }
      default:
        return sendText(response, 404, 'no such path: /, /time, /bytes/N, /slow?ms=, /ws, /count\n');
    }
  }

  function count(response: ServerResponse, id: string): void {
    const times = counter.add(id);
    if (times === undefined) sendText(response, 400, 'give an id: ?id=a, {"id":"a"}, or the body itself\n');
    else sendJson(response, 200, { id, count: times });
  }
}

/** N bytes that repeat 0 to 255, so that a reader can tell whether one is missing. */
async function sendBytes(response: ServerResponse, length: number): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': length });
  for (let sent = 0; sent < length && !response.destroyed;) {
    const block = length - sent < BLOCK.length ? BLOCK.subarray(0, length - sent) : BLOCK;
    sent += block.length;
    // A reader that goes away ends the wait too.
    if (!response.write(block)) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_BODY_BYTES) throw new Error('the body is too long');
  }
  return text;
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = `${JSON.stringify(value)}\n`;
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}
