import { open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { isDnsLabel } from '../base/index.ts';
import { CodedError } from '../sdk/index.ts';
import { cliCodes, cliError } from './cli-error.ts';
import { clientOption, withFleet } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { writeAll } from './terminal.ts';

export const curlCommand: CommandSpec = {
  name: 'curl',
  summary: 'call an HTTP service of an edge',
  arguments: ['<EDGE/SERVICE/PATH>'],
  options: [
    clientOption,
    { flags: '-X, --request METHOD', help: 'the method (default: GET, with --data POST)' },
    { flags: '-d, --data DATA', help: 'the body; @FILE is a file, @- the standard input' },
    { flags: '-H, --header LINE', help: 'a header, `Name: value`', many: true },
    { flags: '-i, --include', help: "print the answer's status and headers too" },
    { flags: '-o, --to FILE', help: 'write the body to a file' },
    { flags: '-f, --fail', help: 'a status of 400 or more is a failure: no body, and an exit code that tells why' },
  ],
  examples: [
    'curl edge-1/hello/time',
    'curl edge-1/hello/count -d \'{"id":"a"}\'',
    'curl edge-1/hello/bytes/100000000 -o bytes',
  ],
  run: curl,
};

/** Where a request goes. */
export interface CurlTarget {
  readonly edge: string;
  readonly service: string;
  /** With the query; begins with a slash. */
  readonly path: string;
}

/** Reads `EDGE/SERVICE/PATH?QUERY`. Throws `usage`. */
export function parseCurlTarget(text: string): CurlTarget {
  const parts = /^([^/?#]+)\/([^/?#]+)([/?][^#]*)?$/u.exec(text);
  const [, edge = '', service = '', rest = '/'] = parts ?? [];
  if (!isDnsLabel(edge) || !isDnsLabel(service))
    throw cliError('usage', `${JSON.stringify(text)} is not EDGE/SERVICE/PATH`);
  return { edge, service, path: rest.startsWith('/') ? rest : `/${rest}` };
}

async function curl(input: CommandInput): Promise<void> {
  const { edge, service, path } = parseCurlTarget(input.argument(0));
  const data = input.text('data');
  const headers = new Headers(
    data === undefined || data.startsWith('@') ? [] : [['content-type', 'application/x-www-form-urlencoded']],
  );
  for (const line of input.list('header')) setHeader(headers, line);
  const method = (input.text('request') ?? (data === undefined ? 'GET' : 'POST')).toUpperCase();
  await withFleet(input, async (fleet) => {
    const answer = await fleet
      .edge(edge)
      .fetch(service, path, { method, headers, ...(data === undefined ? {} : { body: await bodyOf(data) }) });
    const failed = input.flag('fail') && answer.status >= 400;
    const output = await outputOf(input.text('to'));
    if (input.flag('include')) await writeAll(output, headOf(answer));
    if (failed) {
      await answer.body?.cancel();
      throw new CodedError(
        'http-status',
        `${cliCodes['http-status'].text}: ${answer.status} ${answer.statusText}`.trim(),
        {
          status: answer.status,
          fix: cliCodes['http-status'].fix,
        },
      );
    }
    if (answer.body !== null)
      for await (const chunk of answer.body as ReadableStream<Uint8Array>) await writeAll(output, chunk);
    if (output !== process.stdout) {
      output.end();
      await finished(output);
    }
  });
}

function setHeader(headers: Headers, line: string): void {
  const colon = line.indexOf(':');
  try {
    if (colon < 1) throw new Error('no colon');
    const name = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    // The first of a name replaces what is set by default.
    if (name.toLowerCase() === 'content-type') headers.set(name, value);
    else headers.append(name, value);
  } catch (cause) {
    throw cliError('usage', `--header takes \`Name: value\`, not ${JSON.stringify(line)}`, cause);
  }
}

async function bodyOf(data: string): Promise<string | ReadableStream<Uint8Array>> {
  if (!data.startsWith('@')) return data;
  if (data === '@-') return webStream(process.stdin);
  try {
    const file = await open(data.slice(1));
    return webStream(file.createReadStream());
  } catch (cause) {
    throw cliError('file-failed', data.slice(1), cause);
  }
}

function webStream(readable: Readable): ReadableStream<Uint8Array> {
  return Readable.toWeb(readable) as ReadableStream<Uint8Array>;
}

async function outputOf(path: string | undefined): Promise<Writable> {
  if (path === undefined || path === '-') return process.stdout;
  try {
    return (await open(path, 'w')).createWriteStream();
  } catch (cause) {
    throw cliError('file-failed', path, cause);
  }
}

function headOf(answer: Response): Buffer {
  const lines = [
    `HTTP/1.1 ${answer.status} ${answer.statusText}`.trimEnd(),
    ...[...answer.headers].map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
}
