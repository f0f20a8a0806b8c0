import type { Test } from 'tap';
import type { TestApi } from './test-api.ts';

export interface BadRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is wrong, the request, the HTTP status; then a field that is named among the causes, or what the message says. */
export type Refusal = readonly [what: string, request: BadRequest, status: number, hint?: string | RegExp];

/** A string or a Buffer is sent as it is, anything else as JSON. */
export function send(method: string, path: string, body: unknown, type = 'application/json'): BadRequest {
  return { method, path, body, headers: { 'content-type': type } };
}

export function get(path: string, accept = 'application/json'): BadRequest {
  return { method: 'GET', path, headers: { accept } };
}

const reasons: Readonly<Record<number, RegExp>> = {
  400: /^BadRequest$/,
  404: /^NotFound$/,
  405: /^MethodNotAllowed$/,
  406: /^NotAcceptable$/,
  409: /^(?:Conflict|AlreadyExists)$/,
  410: /^Expired$/,
  413: /^RequestEntityTooLarge$/,
  415: /^UnsupportedMediaType$/,
  422: /^Invalid$/,
  504: /^Timeout$/,
};

/** Each is answered with its status and a Status that names what is wrong; none is a fault of ours. */
export async function checkRefusals(t: Test, api: TestApi, refusals: readonly Refusal[]): Promise<void> {
  for (const [what, { method, path, ...call }, status, hint] of refusals) {
    const answer = await api.call(method, path, call);
    t.equal(answer.status, status, `${what}: ${answer.text}`);
    t.match(
      answer.json,
      { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason: reasons[status] },
      what,
    );
    t.equal(answer.headers['content-type'], 'application/json', what);
    t.type(answer.headers['causeway-code'], 'string', what);
    const fields = answer.pick('details.causes.*.field');
    if (typeof hint === 'string') t.ok(Array.isArray(fields) && fields.includes(hint), `${what}: names ${hint}`);
    else if (hint !== undefined) t.match(answer.pick('message'), hint, what);
  }
  t.strictSame(api.faults, []);
}
