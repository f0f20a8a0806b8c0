import { chmod, mkdir, open, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { codeOf, messageOf, z, type Log } from '../base/index.ts';

const report = z.object({
  edge: z.string(),
  version: z.string(),
  pid: z.int(),
  /** It has a link over which it is registered. */
  online: z.boolean(),
  links: z.array(z.object({ target: z.string(), active: z.boolean(), seconds: z.number() })),
  /** Why the last try for a link failed; not there while one is open. */
  problem: z
    .object({ code: z.string(), message: z.string(), fix: z.string().exactOptional(), target: z.string() })
    .exactOptional(),
});

/** How an agent stands, as it says itself. */
export type AgentReport = z.output<typeof report>;

const FILE = 'agent.sock';
const ANSWER_MS = 5_000;
/** The kernel takes 107 bytes as a socket's path. */
const MAX_PATH_BYTES = 107;

/**
 * Tells whoever may open a socket in the agent's data folder how the agent stands: one JSON document a connection. A process that is gone
 * answers nobody, so what is heard is never old. Nothing is read from who asks.
 */
export class StatusSocket {
  readonly #server: Server;
  readonly #path: string;

  /** Undefined, and said in the log, where no socket can be made: an agent does its work without it. */
  static async open(folder: string, current: () => AgentReport, log: Log): Promise<StatusSocket | undefined> {
    const path = join(folder, FILE);
    const server = createServer((socket) => {
      socket.on('error', () => undefined).setTimeout(ANSWER_MS, () => socket.destroy());
      socket.end(JSON.stringify(current()));
    });
    server.maxConnections = 16;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // Of a process that did not end in order.
      await rm(path, { force: true });
      await atShortPath(folder, async (short) => {
        server.listen(short);
        await once(server, 'listening');
      });
      await chmod(path, 0o600);
    } catch (error) {
      log.warn('status-socket-failed', { path, code: codeOf(error), reason: messageOf(error) });
      return undefined;
    }
    return new StatusSocket(server, path);
  }

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** It keeps nobody waiting: who is being answered has the answer. */
  async close(): Promise<void> {
    this.#server.close();
    await rm(this.#path, { force: true });
  }
}

/** Asks the agent whose data folder this is; undefined when none runs there. Throws what else is in the way, a permission for instance. */
export async function askAgent(folder: string): Promise<AgentReport | undefined> {
  try {
    return await atShortPath(folder, ask);
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED', 'ERR_STREAM_PREMATURE_CLOSE'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

async function ask(path: string): Promise<AgentReport> {
  const socket = connect(path);
  const late = setTimeout(() => socket.destroy(), ANSWER_MS);
  try {
    await once(socket, 'connect');
    return report.parse(JSON.parse(await text(socket)));
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}

/** A path that is too long for a socket is reached through the folder, opened. */
async function atShortPath<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, FILE);
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return await use(path);
  await using opened = await open(folder, 'r');
  return await use(`/proc/self/fd/${opened.fd}/${FILE}`);
}
