import { CodedError } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';
import { apiVersionOf } from '../types/resource-type.ts';
import { parseVersion, readRawObject } from './raw-object.ts';
import type { RawObject } from './reflector-sink.ts';
import type { ListHead, ListOptions, ResourceClient } from './resource-client.ts';
import type { ResourceRef } from './resource-ref.ts';
import { keyOf } from './version-ledger.ts';

export interface CompleteListOptions extends Pick<
  ListOptions,
  'labelSelector' | 'fieldSelector' | 'headers' | 'query' | 'signal'
> {
  /** Empty: all. */
  readonly namespace: string;
  readonly at: ListVersion;
  /** Objects an answer; 0: all in one. Default 500. */
  readonly pageSize?: number | undefined;
  /** Default 1,000,000. */
  readonly maxObjects?: number | undefined;
  readonly onPage?: () => void;
  /** The rest of the list was not kept; it is begun anew, in one answer. */
  readonly onExpired?: () => void;
}

export type ListVersion = Pick<ListOptions, 'resourceVersion' | 'resourceVersionMatch'>;

export interface CompleteList {
  readonly objects: readonly RawObject[];
  readonly version: number;
}

const DEFAULT_PAGE_SIZE = 500;
const DEFAULT_MAX_OBJECTS = 1_000_000;

/** Lists page by page. What is returned is all there was as of one version, every object of it read; else it throws. */
export async function readCompleteList(
  client: ResourceClient,
  resource: ResourceRef,
  { pageSize = DEFAULT_PAGE_SIZE, onExpired, ...options }: CompleteListOptions,
): Promise<CompleteList> {
  const started = { isContinued: false };
  try {
    return await readPages(client, resource, { ...options, pageSize }, started);
  } catch (error) {
    if (!started.isContinued || !(error instanceof CodedError) || error.status !== 410) throw error;
    onExpired?.();
    return await readPages(client, resource, { ...options, pageSize: 0 }, started);
  }
}

async function readPages(
  client: ResourceClient,
  resource: ResourceRef,
  { namespace, at, pageSize = 0, maxObjects = DEFAULT_MAX_OBJECTS, onPage, ...common }: CompleteListOptions,
  started: { isContinued: boolean },
): Promise<CompleteList> {
  const objects = new Map<string, RawObject>();
  const limit = pageSize === 0 ? {} : { limit: pageSize };
  const take = (item: Buffer): void => {
    const object = readRawObject(item, resource, namespace, true);
    const key = keyOf(object);
    if (objects.has(key)) throw malformed(`${key} is in the list twice`);
    if (objects.size >= maxObjects)
      throw resourceError('answer-too-large', { detail: `more than ${maxObjects} objects` });
    objects.set(key, object);
  };
  let version: number | undefined;
  let token: string | undefined;
  for (;;) {
    const before = objects.size;
    const from = token === undefined ? at : { continue: token };
    const { value: head } = await client.readList(resource, { ...common, ...limit, ...from, namespace }, take);
    const own = versionOf(head, resource);
    if (version !== undefined && own !== version) throw malformed('the pages of a list are of different versions');
    version = own;
    onPage?.();
    const next = head.metadata['continue'];
    if (next === undefined || next === '') return { objects: [...objects.values()], version };
    if (typeof next !== 'string' || objects.size === before) throw malformed('a list without an end');
    token = next;
    started.isContinued = true;
  }
}

/** A list of something else would delete everything. */
function versionOf({ kind, apiVersion, metadata }: ListHead, resource: ResourceRef): number {
  const { listKind = `${resource.kind}List` } = resource;
  if (kind !== listKind || apiVersion !== apiVersionOf(resource)) throw malformed(`no ${listKind}`);
  const version = parseVersion(metadata['resourceVersion']);
  if (version === undefined) throw malformed('the version of the list is no positive integer');
  return version;
}

function malformed(detail: string): CodedError {
  return resourceError('answer-malformed', { detail });
}
