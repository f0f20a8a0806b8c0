import { open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { agentFilesPath, bootstrapPath, trustPath } from '../../api/index.ts';
import { codeOf } from '../../base/index.ts';
import type { TrustBundle } from '../../certs/index.ts';
import { gatewayError } from '../gateway-error.ts';
import type { PublicPaths } from './public-paths.ts';
import { enrolmentError } from './enrolment-error.ts';

/** An agent has some 40 MB, and whoever asks for it may be slow; the limit keeps the network for what is urgent. */
const MAX_DOWNLOADS = 32;
const RETRY_DOWNLOAD_MS = 10_000;

const platforms = ['linux-x64', 'linux-arm64'] as const;

const types: Readonly<Record<string, string>> = {
  '': 'application/octet-stream',
  '.gz': 'application/gzip',
  '.sha256': 'text/plain; charset=utf-8',
};

/** Where the script has the fleet's roots. */
const rootsPlace = '@CAUSEWAY_ROOTS@';

export interface PublicFilesOptions {
  readonly trust: () => TrustBundle;
  /** The folder with the agents of one file: `linux-x64`, `linux-x64.gz`, `linux-x64.sha256` ...; without it there are none. */
  readonly agentFiles?: string | undefined;
  /** Default the one of this program. */
  readonly bootstrapFile?: string;
}

/** What an edge fetches before it is enrolled. None of it is secret, and each is what a root of the fleet vouches for, since it comes over TLS. */
export function publicFiles({
  trust,
  agentFiles,
  bootstrapFile = ownBootstrapFile(),
}: PublicFilesOptions): PublicPaths {
  let downloads = 0;
  const paths: [string, PublicPaths[string]][] = [
    [trustPath, { method: 'GET', answer: (response) => sendText(response, 'application/x-pem-file', trust().text) }],
    [bootstrapPath, { method: 'GET', answer: (response) => sendBootstrap(response) }],
  ];
  for (const name of platforms) {
    for (const [suffix, type] of Object.entries(types)) {
      const answer = (response: ServerResponse): Promise<void> => download(response, `${name}${suffix}`, type);
      paths.push([`${agentFilesPath}${name}${suffix}`, { method: 'GET', answer }]);
    }
  }
  return Object.fromEntries(paths);

  async function sendBootstrap(response: ServerResponse): Promise<void> {
    const script = await textOf(bootstrapFile);
    sendText(
      response,
      'text/x-shellscript',
      script.replace(rootsPlace, () => trust().pem.trim()),
    );
  }

  async function download(response: ServerResponse, name: string, type: string): Promise<void> {
    if (agentFiles === undefined) throw gatewayError('not-found', { detail: 'this replica hands out no agents' });
    if (downloads >= MAX_DOWNLOADS)
      throw enrolmentError('too-many-attempts', { detail: 'downloads', retryAfterMs: RETRY_DOWNLOAD_MS });
    downloads += 1;
    try {
      await sendFile(response, join(agentFiles, name), type);
    } finally {
      downloads -= 1;
    }
  }
}

/** Throws `not-found` when there is no such file; whoever reads it too slowly, or goes, ends it in silence. */
async function sendFile(response: ServerResponse, file: string, type: string): Promise<void> {
  await using handle = await opened(file);
  const { size } = await handle.stat();
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': size });
  if (response.req.method === 'HEAD' || size === 0) {
    response.end();
    return;
  }
  // The size is what was told: a file that grows meanwhile is not this one any more.
  const content = handle.createReadStream({ start: 0, end: size - 1, autoClose: false });
  await pipeline(content, response).catch(() => response.destroy());
}

async function textOf(file: string): Promise<string> {
  await using handle = await opened(file);
  return await handle.readFile('utf8');
}

async function opened(file: string) {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw gatewayError('not-found', { cause: error });
    throw error;
  }
}

function sendText(response: ServerResponse, type: string, text: string): void {
  const bytes = Buffer.from(text);
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': bytes.length });
  response.end(bytes);
}

function ownBootstrapFile(): string {
  return fileURLToPath(new URL('../../deploy/bootstrap.sh', import.meta.url));
}
