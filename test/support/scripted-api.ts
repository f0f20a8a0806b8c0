import type { KubeObject } from '../../resources/index.ts';

/** How a request went wrong, on purpose: what is done to the answer of a scripted API. */
export interface Mischief {
  /** Which requests it happens to. */
  readonly on: 'list' | 'watch';
  /** Gets the whole body (of a list) or one line (of a watch) and says what is sent in its place. */
  readonly send?: (text: string) => string;
  /** Ends the connection after so many bytes of the body. */
  readonly cutAfter?: number;
  /** A failure instead of an answer. */
  readonly status?: number;
  readonly reason?: string;
  /** How many times. Default 1. */
  times?: number;
}

interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly version: number;
  readonly object: KubeObject;
}

type Request = Parameters<ScriptedApi['transport']>[0];

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * A Kubernetes API of one resource, `pods`, in memory, small enough to be seen to be right, that misbehaves when it is
 * told to. Its transport takes what the resource client sends. Objects of lists have no kind, as the real one's.
 */
export class ScriptedApi {
  readonly requests: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
  }[] = [];
  readonly objects = new Map<string, KubeObject>();
  readonly mischief: Mischief[] = [];
  /** Bytes a chunk of every answer. */
  chunkBytes = 1000;
  version = 10;
  /** Whether `resourceVersionMatch=Exact` is served. */
  knowsExact = true;
  #compacted = 0;
  readonly #changes: Change[] = [];
  readonly #watches = new Set<OpenWatch>();
  readonly #snapshots = new Map<string, { readonly version: number; readonly items: readonly KubeObject[] }>();

  get openWatches(): number {
    return this.#watches.size;
  }

  put(name: string, spec: unknown = {}, namespace = 'default'): KubeObject {
    const key = `${namespace}/${name}`;
    const version = ++this.version;
    const object = podOf(name, namespace, version, spec);
    const type = this.objects.has(key) ? 'MODIFIED' : 'ADDED';
    this.objects.set(key, object);
    this.#change({ type, version, object });
    return object;
  }

  remove(name: string, namespace = 'default'): void {
    const key = `${namespace}/${name}`;
    const object = this.objects.get(key);
    if (object === undefined) throw new Error(`there is no ${key}`);
    const version = ++this.version;
    this.objects.delete(key);
    this.#change({ type: 'DELETED', version, object: withVersion(object, version) });
  }

  /** Changes the state and tells nobody, as etcd 3.4 does after some compactions. */
  silently(change: (api: this) => void): void {
    const before = [...this.#watches];
    this.#watches.clear();
    const length = this.#changes.length;
    change(this);
    this.#changes.splice(length);
    for (const watch of before) {
      watch.sent = this.version;
      this.#watches.add(watch);
    }
  }

  /** Forgets what changed so far: watches from before, and the rest of lists, are 410. */
  compact(): void {
    this.#compacted = this.version;
    this.#changes.length = 0;
    this.#snapshots.clear();
  }

  bookmark(): void {
    const object = { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: String(this.version) } };
    this.sendLine(JSON.stringify({ type: 'BOOKMARK', object }));
  }

  /** To every watch that is open, whatever it is. */
  sendLine(line: string): void {
    for (const watch of this.#watches) watch.push(Buffer.from(`${line}\n`));
  }

  /** Ends every watch that is open: as a server does at its time, or by a broken connection. */
  endWatches(error?: Error): void {
    for (const watch of [...this.#watches]) watch.end(error);
  }

  readonly transport = async (request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: Uint8Array;
    readonly signal: AbortSignal;
  }): Promise<Answer> => {
    this.requests.push({ method: request.method, path: request.path, headers: request.headers });
    request.signal.throwIfAborted();
    const url = new URL(request.path, 'http://api');
    const isWatch = url.searchParams.get('watch') === 'true';
    const trouble = this.#troubleFor(isWatch ? 'watch' : 'list');
    if (trouble?.status !== undefined) return failure(trouble.status, trouble.reason ?? 'InternalError');
    const parts = /^\/api\/v1(?:\/namespaces\/([^/]+))?\/pods$/u.exec(url.pathname);
    if (parts === null) return failure(404, 'NotFound');
    return isWatch ? this.#watch(request, url, parts[1], trouble) : this.#list(url, parts[1], trouble);
  };

  #list(url: URL, namespace: string | undefined, trouble: Mischief | undefined): Answer {
    const limit = Number(url.searchParams.get('limit') ?? 0);
    const token = url.searchParams.get('continue') ?? undefined;
    const wanted = url.searchParams.get('resourceVersion');
    if (url.searchParams.get('resourceVersionMatch') === 'Exact') {
      if (!this.knowsExact) return failure(400, 'BadRequest');
      // This API knows its present only.
      if (Number(wanted) !== this.version) return failure(410, 'Expired');
    }
    let from = 0;
    let snapshot = {
      version: this.version,
      items: [...this.objects.values()].filter(
        (each) => namespace === undefined || each.metadata.namespace === namespace,
      ),
    };
    let id = `s${this.requests.length}`;
    if (token !== undefined) {
      const [known = '', start = '0'] = token.split(':');
      const kept = this.#snapshots.get(known);
      if (kept === undefined) return failure(410, 'Expired');
      snapshot = { ...kept, items: [...kept.items] };
      from = Number(start);
      id = known;
    }
    const items = snapshot.items.slice(from, limit === 0 ? undefined : from + limit);
    const left = snapshot.items.length - from - items.length;
    if (left > 0) this.#snapshots.set(id, snapshot);
    const metadata = {
      resourceVersion: String(snapshot.version),
      ...(left > 0 ? { continue: `${id}:${from + items.length}`, remainingItemCount: left } : {}),
    };
    const bare = items.map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest);
    const text = JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata, items: bare });
    return { status: 200, headers: {}, body: this.#body(trouble?.send?.(text) ?? text, trouble) };
  }

  #watch(request: Request, url: URL, namespace: string | undefined, trouble: Mischief | undefined): Answer {
    const from = Number(url.searchParams.get('resourceVersion') ?? 0);
    if (from < this.#compacted) return failure(410, 'Expired');
    const watch = new OpenWatch(from, namespace, trouble, () => this.#watches.delete(watch));
    this.#watches.add(watch);
    request.signal.addEventListener('abort', () => watch.end(new Error('aborted')), { once: true });
    for (const change of this.#changes) watch.tell(change);
    return { status: 200, headers: {}, body: watch.read() };
  }

  async *#body(text: string, trouble: Mischief | undefined): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(text);
    const end = trouble?.cutAfter ?? bytes.length;
    for (let at = 0; at < end; at += this.chunkBytes) yield bytes.subarray(at, Math.min(end, at + this.chunkBytes));
    if (trouble?.cutAfter !== undefined) throw new Error('the connection is gone');
  }

  #change(change: Change): void {
    this.#changes.push(change);
    for (const watch of this.#watches) watch.tell(change);
  }

  #troubleFor(on: Mischief['on']): Mischief | undefined {
    const index = this.mischief.findIndex((each) => each.on === on);
    const found = this.mischief[index];
    if (found === undefined) return undefined;
    found.times = (found.times ?? 1) - 1;
    if (found.times <= 0) this.mischief.splice(index, 1);
    return found;
  }
}

class OpenWatch {
  sent: number;
  readonly #namespace: string | undefined;
  readonly #trouble: Mischief | undefined;
  readonly #onEnd: () => void;
  readonly #queue: Uint8Array[] = [];
  #bytes = 0;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: () => void = () => undefined;

  constructor(from: number, namespace: string | undefined, trouble: Mischief | undefined, onEnd: () => void) {
    this.sent = from;
    this.#namespace = namespace;
    this.#trouble = trouble;
    this.#onEnd = onEnd;
  }

  tell({ type, version, object }: Change): void {
    if (version <= this.sent) return;
    this.sent = version;
    if (this.#namespace !== undefined && object.metadata.namespace !== this.#namespace) return;
    const line = JSON.stringify({ type, object });
    this.push(Buffer.from(`${this.#trouble?.send?.(line) ?? line}\n`));
  }

  push(bytes: Buffer): void {
    const cut = this.#trouble?.cutAfter;
    const left = cut === undefined ? bytes.length : Math.max(0, cut - this.#bytes);
    this.#bytes += bytes.length;
    this.#queue.push(bytes.subarray(0, left));
    if (left < bytes.length) this.end(new Error('the connection is gone'));
    this.#wake();
  }

  end(error?: Error): void {
    this.#end ??= { error };
    this.#onEnd();
    this.#wake();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) yield next;
        if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#onEnd();
    }
  }
}

export function podOf(name: string, namespace: string, version: number, spec: unknown = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, resourceVersion: String(version) }, spec };
}

function withVersion(object: KubeObject, version: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

function failure(code: number, reason: string): Answer {
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason,
    message: `no: ${reason}`,
    code,
  };
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(JSON.stringify(status));
  }
  return { status: code, headers: { 'content-type': 'application/json' }, body: body() };
}
