import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  apiVersion,
  initialEdgeStatus,
  parseEdgeNode,
  parseEdgeNodesPath,
  type EdgeNode,
  type EdgeNodeList,
  type EdgeNodeStatus,
} from '../api/index.ts';
import { CodedError } from '../base/index.ts';
import { sendFailure } from './front/index.ts';
import type { EdgeDirectory, EdgeRecord } from './edge-directory.ts';
import type { EdgeRegistry } from './edge-registry.ts';
import { gatewayError } from './gateway-error.ts';
import { answerJson } from './health.ts';

export interface EdgeNodesOptions {
  readonly directory: EdgeDirectory;
  readonly registry: EdgeRegistry;
  /** `site/name` of this replica, for the links that end here. */
  readonly replica: string;
}

const MAX_BODY_BYTES = 256 * 1024;

/** `/apis/causeway.io/v1/edgenodes`: the whitelist, and what is known of each edge. */
export class EdgeNodes {
  readonly #options: EdgeNodesOptions;

  constructor(options: EdgeNodesOptions) {
    this.#options = options;
  }

  answer(request: IncomingMessage, response: ServerResponse, path: string): boolean {
    const parsed = parseEdgeNodesPath(path);
    if (parsed === undefined) return false;
    const { name = '', subresource } = parsed;
    const method = request.method ?? 'GET';
    if (subresource !== undefined && method !== 'GET')
      throw gatewayError('method-unknown', { detail: `${method} of a status` });
    this.#handle(method, name, request).then(
      ([status, body]) => answerJson(response, status, body),
      (error: unknown) =>
        sendFailure(response, error instanceof CodedError ? error : gatewayError('body-malformed', { cause: error })),
    );
    return true;
  }

  async #handle(method: string, name: string, request: IncomingMessage): Promise<[status: number, body: unknown]> {
    const { directory } = this.#options;
    if (name === '') {
      if (method === 'GET') return [200, this.#list()];
      if (method !== 'POST') throw gatewayError('method-unknown', { detail: method });
      const { metadata, spec } = parseEdgeNode(await readJson(request));
      return [201, this.#node(await directory.create(metadata.name, spec, metadata.labels))];
    }
    switch (method) {
      case 'GET':
        return [200, this.#node(this.#find(name))];
      case 'PUT': {
        const { metadata, spec } = parseEdgeNode(await readJson(request));
        if (metadata.name !== name)
          throw gatewayError('body-malformed', { detail: `metadata.name: ${metadata.name} is not ${name}` });
        return [200, this.#node(await directory.update(name, spec, metadata.labels ?? {}, metadata.resourceVersion))];
      }
      case 'PATCH': {
        // The status is what replicas see: nobody writes it, and nothing in it may stand in the way of a write.
        const { status: _, ...node } = this.#node(this.#find(name));
        const { metadata, spec } = parseEdgeNode(merge(node, await readJson(request)));
        return [200, this.#node(await directory.update(name, spec, metadata.labels ?? {}))];
      }
      case 'DELETE':
        return [200, this.#node(await directory.delete(name))];
      default:
        throw gatewayError('method-unknown', { detail: method });
    }
  }

  #list(): EdgeNodeList {
    const { directory } = this.#options;
    const items = directory.edges.map((edge) => this.#node(edge));
    return { apiVersion, kind: 'EdgeNodeList', metadata: { resourceVersion: String(directory.revision) }, items };
  }

  #find(name: string): EdgeRecord {
    const record = this.#options.directory.find(name);
    if (record === undefined) throw gatewayError('not-found', { detail: `EdgeNode ${name}` });
    return record;
  }

  #node({ metadata, spec }: EdgeRecord): EdgeNode {
    const presence = this.#options.registry.find(metadata.name);
    const links = (presence?.links ?? []).map(({ link, active, since }) => ({
      id: link.id,
      replica: this.#options.replica,
      active,
      since: new Date(since).toISOString(),
      remote: link.remote,
      rttMs: rounded(link.stats.rttMs),
    }));
    const status: EdgeNodeStatus =
      presence === undefined
        ? initialEdgeStatus()
        : {
            online: links.length > 0,
            links,
            instance: presence.instance,
            epoch: presence.epoch,
            services: [...presence.services],
            agentVersion: presence.agentVersion,
            lastContact: new Date(presence.lastContact).toISOString(),
          };
    return { apiVersion, kind: 'EdgeNode', metadata, spec, status };
  }
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 1000) / 1000;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw gatewayError('body-too-long', { detail: `at most ${MAX_BODY_BYTES} bytes` });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw gatewayError('body-malformed', { detail: 'not JSON', cause });
  }
}

/** JSON merge patch (RFC 7396). */
function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
