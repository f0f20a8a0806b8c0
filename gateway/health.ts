import type { IncomingMessage, ServerResponse } from 'node:http';
import { healthPath, readyPath } from '../api/index.ts';

/** `/healthz`: the process lives. `/readyz`: send it new work. Both need no identity and tell nothing else. */
export function answerHealth(
  _request: IncomingMessage,
  response: ServerResponse,
  path: string,
  ready: () => boolean,
): boolean {
  if (path === healthPath) return answerText(response, 200, 'ok');
  if (path === readyPath) return ready() ? answerText(response, 200, 'ok') : answerText(response, 503, 'draining');
  return false;
}

export function answerJson(response: ServerResponse, status: number, body: unknown): boolean {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length });
  response.end(bytes);
  return true;
}

function answerText(response: ServerResponse, status: number, text: string): boolean {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': text.length });
  response.end(text);
  return true;
}
