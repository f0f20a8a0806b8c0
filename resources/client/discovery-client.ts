import { CodedError, systemClock, type Clock } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';
import { apiVersionOf } from '../types/resource-type.ts';
import { isRecord } from './raw-object.ts';
import type { CallOptions, ResourceClient } from './resource-client.ts';
import type { ResourceRef } from './resource-ref.ts';

/** A resource as an API's discovery describes it. */
export interface FoundResource extends ResourceRef {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
}

const AGGREGATED = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .concat('application/json')
  .join(',');
/** What is found out is good for so long; what is not found is looked for again at once. */
const KEPT_MS = 600_000;
/** Groups are asked for so many at a time. */
const AT_ONCE = 8;

/**
 * What an API serves, by any name that people use: `pods`, `po`, `Pod`, `deployments.apps`, `deployments.v1.apps`.
 * Asked for once, and again when a name is not known.
 */
export class DiscoveryClient {
  readonly #client: ResourceClient;
  readonly #clock: Clock;
  #known: { readonly resources: Promise<readonly FoundResource[]>; readonly at: number } | undefined;

  constructor(client: ResourceClient, clock: Clock = systemClock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Throws `resource-unknown`, and what the client throws. */
  async find(name: string, options: Pick<CallOptions, 'signal'> = {}): Promise<FoundResource> {
    const isFresh = this.#known === undefined || this.#clock.now() - this.#known.at > KEPT_MS;
    const found =
      bestOf(await this.resources(options), name) ?? (isFresh ? undefined : bestOf(await this.#ask(options), name));
    if (found === undefined) throw resourceError('resource-unknown', { detail: JSON.stringify(name.slice(0, 100)) });
    return found;
  }

  /** The resource of an object, by its `apiVersion` and `kind`. Throws `resource-unknown`. */
  async ofKind(apiVersion: string, kind: string, options: Pick<CallOptions, 'signal'> = {}): Promise<FoundResource> {
    const of = (all: readonly FoundResource[]): FoundResource | undefined =>
      all.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
    const found = of(await this.resources(options)) ?? of(await this.#ask(options));
    if (found === undefined) throw resourceError('resource-unknown', { detail: `${apiVersion} ${kind}` });
    return found;
  }

  /** Everything that the API serves, the core group first, preferred versions before others. */
  async resources(options: Pick<CallOptions, 'signal'> = {}): Promise<readonly FoundResource[]> {
    const known = this.#known;
    if (known !== undefined && this.#clock.now() - known.at <= KEPT_MS) return await known.resources;
    return await this.#ask(options);
  }

  async #ask({ signal }: Pick<CallOptions, 'signal'>): Promise<readonly FoundResource[]> {
    const resources = this.#askAll({ signal });
    const known = { resources, at: this.#clock.now() };
    this.#known = known;
    try {
      return await resources;
    } catch (error) {
      // A failure is not kept.
      if (this.#known === known) this.#known = undefined;
      throw error;
    }
  }

  async #askAll(options: Pick<CallOptions, 'signal'>): Promise<readonly FoundResource[]> {
    const headers = { accept: AGGREGATED };
    const missing: CodedError[] = [];
    const documents = await Promise.all(
      ['/api', '/apis'].map(async (path) => {
        const { value } = await this.#client.json('GET', path, { ...options, headers }).catch((error: unknown) => {
          // An API may have no core group, or nothing else.
          if (!(error instanceof CodedError && error.status === 404)) throw error;
          missing.push(error);
          return { value: undefined };
        });
        return isRecord(value) && value['kind'] === 'APIGroupDiscoveryList'
          ? readAggregated(value)
          : await this.#askVersions(versionsIn(value), options);
      }),
    );
    // With neither there is no API here, and why is what the first says: `edge-unknown`, `service-unknown`.
    const [first, second] = missing;
    if (first !== undefined && second !== undefined) throw first;
    return documents.flat();
  }

  /** One document a group and version; a group that does not answer hides nothing but itself. */
  async #askVersions(versions: readonly string[], options: Pick<CallOptions, 'signal'>): Promise<FoundResource[]> {
    const found: FoundResource[][] = [];
    for (let at = 0; at < versions.length; at += AT_ONCE) {
      const asked = versions.slice(at, at + AT_ONCE).map(async (apiVersion) => {
        const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
        try {
          return readResourceList(apiVersion, (await this.#client.json('GET', path, options)).value);
        } catch (error) {
          options.signal?.throwIfAborted();
          if (error instanceof CodedError) return [];
          throw error;
        }
      });
      found.push(...(await Promise.all(asked)));
    }
    return found.flat();
  }
}

/** The first that fits: the core group is listed before others, preferred versions before others. */
function bestOf(resources: readonly FoundResource[], name: string): FoundResource | undefined {
  const [first = '', ...rest] = name.split('.');
  const wanted = first.toLowerCase();
  const group = rest.join('.');
  const [version, ...behind] = rest;
  const inPlace = resources.filter(
    (each) =>
      rest.length === 0 ||
      each.group === group ||
      (each.version === version && (behind.length === 0 ? each.group === '' : each.group === behind.join('.'))),
  );
  const by = (matches: (each: FoundResource) => boolean): FoundResource | undefined => inPlace.find(matches);
  return (
    by(({ resource }) => resource === wanted) ??
    by(({ singular, kind }) => singular === wanted || kind.toLowerCase() === wanted) ??
    by(({ shortNames }) => shortNames.includes(wanted))
  );
}

/** `APIVersions` and `APIGroupList`: the versions, preferred ones first. */
function versionsIn(value: unknown): readonly string[] {
  if (!isRecord(value)) return [];
  if (value['kind'] === 'APIVersions') return textsIn(value['versions']);
  return recordsIn(value['groups']).flatMap((group) => {
    const versions = recordsIn(group['versions']).flatMap(({ groupVersion }) => textsIn([groupVersion]));
    const preferred = isRecord(group['preferredVersion']) ? group['preferredVersion']['groupVersion'] : undefined;
    return versions.toSorted((a, b) => Number(b === preferred) - Number(a === preferred));
  });
}

function readResourceList(apiVersion: string, value: unknown): FoundResource[] {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return recordsIn(isRecord(value) ? value['resources'] : undefined).flatMap((each) => {
    const { name, kind } = each;
    // Subresources stand beside their resources.
    if (typeof name !== 'string' || name.includes('/') || typeof kind !== 'string') return [];
    return foundOf(
      each,
      { group, version, resource: name, kind, namespaced: each['namespaced'] === true },
      each['singularName'],
    );
  });
}

/** `apidiscovery.k8s.io`: all groups and their resources in one document. */
function readAggregated(list: Readonly<Record<string, unknown>>): FoundResource[] {
  return recordsIn(list['items']).flatMap((item) => {
    const metadata = isRecord(item['metadata']) ? item['metadata'] : {};
    const group = typeof metadata['name'] === 'string' ? metadata['name'] : '';
    return recordsIn(item['versions']).flatMap((entry) => {
      const { version } = entry;
      if (typeof version !== 'string') return [];
      return recordsIn(entry['resources']).flatMap((each) => {
        const { resource, scope } = each;
        const kind = isRecord(each['responseKind']) ? each['responseKind']['kind'] : undefined;
        if (typeof resource !== 'string' || typeof kind !== 'string') return [];
        return foundOf(
          each,
          { group, version, resource, kind, namespaced: scope === 'Namespaced' },
          each['singularResource'],
        );
      });
    });
  });
}

function foundOf(each: Readonly<Record<string, unknown>>, ref: ResourceRef, singular: unknown): [FoundResource] {
  return [
    {
      ...ref,
      singular: typeof singular === 'string' && singular !== '' ? singular : ref.kind.toLowerCase(),
      shortNames: textsIn(each['shortNames']),
      categories: textsIn(each['categories']),
      verbs: textsIn(each['verbs']),
    },
  ];
}

function recordsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
