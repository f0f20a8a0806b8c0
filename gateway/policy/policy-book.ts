import { parseEdgeNode } from '../../api/index.ts';
import type { Collection } from '../../resources/index.ts';
import { CollectionMirror } from '../collection-mirror.ts';
import { grantsFor, type PolicyGrant } from './decide.ts';
import type { Labels } from './edge-selection.ts';
import { adminPolicy, parsePolicy, type Policy } from './policy.ts';
import { PrincipalAccess, type PolicySource } from './principal-access.ts';

export interface PolicyBookOptions {
  /** The `AccessPolicy` objects. */
  readonly policies: Collection;
  /** The `EdgeNode` objects, for their labels. */
  readonly nodes: Collection;
  /** Principals, or beginnings with `*`, who always have the role `admin`. */
  readonly admins: readonly string[];
  /** Told of an object that cannot be read: it allows nothing, and an edge without readable labels is found by no selector. */
  readonly onFault: (error: unknown) => void;
}

/** Principals whose decisions are kept. */
const MAX_PRINCIPALS = 4096;

/**
 * All policies and the labels of edges, in memory, kept equal to the store by watches. What was decided by an older state is not
 * used any more once a change has been read.
 */
export class PolicyBook implements PolicySource {
  readonly #admins: Policy;
  readonly #policies = new Map<string, Policy>();
  readonly #labels = new Map<string, Labels>();
  readonly #accesses = new Map<string, PrincipalAccess>();
  readonly #listeners = new Set<() => void>();
  readonly #mirrors: CollectionMirror[] = [];
  #sorted: readonly Policy[] | undefined;
  #isTelling = false;
  version = 0;
  labelsVersion = 0;

  /** Resolves when there is everything to decide by. */
  static async open({ policies, nodes, admins, onFault }: PolicyBookOptions): Promise<PolicyBook> {
    const book = new PolicyBook(admins);
    book.#mirrors.push(
      await CollectionMirror.open({
        collection: policies,
        onPut: (name, object) => book.#putPolicy(name, object),
        onGone: (name) => book.#forgetPolicy(name),
        onFault,
      }),
      await CollectionMirror.open({
        collection: nodes,
        onPut: (name, object) => book.#putNode(name, object),
        onGone: (name) => book.#forgetNode(name),
        onFault,
      }),
    );
    return book;
  }

  private constructor(admins: readonly string[]) {
    this.#admins = adminPolicy(admins);
  }

  /** The one seam for whoever asks who may do what. What it returns follows the policies: it need not be asked for again. */
  accessOf(principal: string): PrincipalAccess {
    let access = this.#accesses.get(principal);
    if (access === undefined) {
      if (this.#accesses.size >= MAX_PRINCIPALS) this.#accesses.clear();
      access = new PrincipalAccess(principal, this);
      this.#accesses.set(principal, access);
    }
    return access;
  }

  grantsFor(principal: string): readonly PolicyGrant[] {
    // The same order at every replica, so that the same rule decides.
    this.#sorted ??= [...this.#policies.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
    return grantsFor([this.#admins, ...this.#sorted], principal);
  }

  labelsOf(edge: string): Labels | undefined {
    return this.#labels.get(edge);
  }

  /** Of all edges whose objects can be read. */
  get labels(): ReadonlyMap<string, Labels> {
    return this.#labels;
  }

  get edges(): Iterable<string> {
    return this.#labels.keys();
  }

  /** Nobody has a policy, and there is no admin: all that anybody asks is denied. */
  get isEmpty(): boolean {
    return this.#admins.principals.length === 0 && this.#policies.size === 0;
  }

  /** Told soon after anything may be decided otherwise, once for changes that come together. Returns the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    for (const mirror of this.#mirrors) mirror.close();
    this.#listeners.clear();
  }

  #putPolicy(name: string, object: unknown): void {
    // Also when the new state cannot be read.
    this.#forgetPolicy(name);
    this.#policies.set(name, parsePolicy(object));
  }

  #forgetPolicy(name: string): void {
    this.#policies.delete(name);
    this.#sorted = undefined;
    this.#changed();
  }

  #putNode(name: string, object: unknown): void {
    let labels: Labels;
    try {
      labels = parseEdgeNode(object).spec.labels ?? {};
    } catch (error) {
      this.#forgetNode(name);
      throw error;
    }
    const known = this.#labels.get(name);
    // Most changes of an edge are of its status.
    if (known !== undefined && isSame(known, labels)) return;
    this.#labels.set(name, labels);
    this.#labelsChanged();
  }

  #forgetNode(name: string): void {
    if (this.#labels.delete(name)) this.#labelsChanged();
  }

  #labelsChanged(): void {
    this.#changed();
    this.labelsVersion = this.version;
  }

  #changed(): void {
    this.version++;
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function isSame(one: Labels, other: Labels): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}
