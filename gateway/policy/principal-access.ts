import type { Access, AccessAttributes } from '../../resources/index.ts';
import { decideBy, isAbout, type Decision, type ObjectFilter, type PolicyGrant } from './decide.ts';
import type { Labels } from './edge-selection.ts';

/** Decisions that are kept for a principal, and services of edges for which there are any. */
const MAX_DECISIONS = 4096;

/** What policies say for one principal. A `version` that differs from the last one means that something may have changed. */
export interface PolicySource {
  readonly version: number;
  /** Of these changes the last one of labels. */
  readonly labelsVersion: number;
  grantsFor(principal: string): readonly PolicyGrant[];
  labelsOf(edge: string): Labels | undefined;
  /** Told when `version` has changed. Returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

/** What counts at one service of one edge. */
interface ServiceBook {
  /** The grants that can say anything here, in their order. */
  readonly grants: readonly PolicyGrant[];
  /** The path decides too: always at `kube` and for addresses, else where a rule has paths. */
  readonly hasPaths: boolean;
  /** What does not depend on a path, by verb. */
  readonly byVerb: Map<string, Decision>;
  readonly byObject: Map<string, Decision>;
}

/**
 * What one principal may do, by the policies as they are at each call. A decision is kept until policies change, so that it
 * costs a look-up or, where paths decide, the few rules that are about the service.
 */
export class PrincipalAccess implements Access {
  readonly principal: string;
  readonly #source: PolicySource;
  #version = -1;
  #grants: readonly PolicyGrant[] = [];
  /** What is decided whatever is asked: by the role `admin` everywhere. */
  #always: Decision | undefined;
  /** Whether decisions depend on labels of edges. */
  #selects = false;
  #books = new Map<string, Map<string, ServiceBook>>();
  #kept = 0;

  constructor(principal: string, source: PolicySource) {
    this.principal = principal;
    this.#source = source;
  }

  allows(attributes: AccessAttributes): boolean {
    return this.explain(attributes).allowed;
  }

  filter(attributes: AccessAttributes): ObjectFilter | undefined {
    return this.explain(attributes).filter;
  }

  explain(attributes: AccessAttributes): Decision {
    this.#refresh();
    if (this.#always !== undefined) return this.#always;
    const { edge, verb, resource, service = 'kube' } = attributes;
    // The fleet's own is asked for seldom.
    if (edge === '') return this.#decide(this.#grants, attributes);
    const book = this.#bookOf(edge, service);
    if (resource === '') {
      if (book.hasPaths) return this.#decide(book.grants, attributes);
      return this.#keptIn(book.byVerb, verb, book, attributes);
    }
    const { group, subresource, namespace, name } = attributes;
    // A namespace is in itself, see `decide`; of other names it counts whether there is one.
    const named = resource === 'namespaces' ? name : name === '' ? '' : '?';
    const key = `${group}\0${resource}\0${subresource}\0${namespace}\0${named}\0${verb}`;
    return this.#keptIn(book.byObject, key, book, attributes);
  }

  /** Told when what policies say for this principal has changed, or labels that they select edges by. */
  onChange(listener: () => void): () => void {
    let last = this.#signature();
    return this.#source.onChange(() => {
      const now = this.#signature();
      if (now === last) return;
      last = now;
      listener();
    });
  }

  /** What stands in policies for this principal, in the order in which it is asked. */
  get grants(): readonly PolicyGrant[] {
    this.#refresh();
    return this.#grants;
  }

  #decide(grants: readonly PolicyGrant[], attributes: AccessAttributes): Decision {
    return decideBy(grants, { ...attributes, labelsOf: (edge) => this.#source.labelsOf(edge) });
  }

  #keptIn(decisions: Map<string, Decision>, key: string, book: ServiceBook, attributes: AccessAttributes): Decision {
    const known = decisions.get(key);
    if (known !== undefined) return known;
    const decision = this.#decide(book.grants, attributes);
    this.#keep();
    decisions.set(key, decision);
    return decision;
  }

  #bookOf(edge: string, service: string): ServiceBook {
    const known = this.#books.get(edge)?.get(service);
    if (known !== undefined) return known;
    const labels = this.#source.labelsOf(edge);
    const grants = this.#grants.filter(({ grant }) => isAbout(grant, edge, labels, service));
    const hasPaths =
      service === 'kube' ||
      service === '' ||
      grants.some(({ grant }) => grant.at === 'edges' && grant.paths !== undefined);
    const book = { grants, hasPaths, byVerb: new Map<string, Decision>(), byObject: new Map<string, Decision>() };
    this.#keep();
    const ofEdge = this.#books.get(edge) ?? new Map<string, ServiceBook>();
    this.#books.set(edge, ofEdge.set(service, book));
    return book;
  }

  /** One more is kept: when there are too many, all are found again. */
  #keep(): void {
    if (++this.#kept <= MAX_DECISIONS) return;
    this.#books = new Map();
    this.#kept = 1;
  }

  #signature(): string {
    const { grants } = this;
    return this.#selects ? `${JSON.stringify(grants)}@${this.#source.labelsVersion}` : JSON.stringify(grants);
  }

  #refresh(): void {
    const { version } = this.#source;
    if (version === this.#version) return;
    this.#version = version;
    this.#grants = this.#source.grantsFor(this.principal);
    this.#always = alwaysOf(this.#grants);
    this.#selects = this.#grants.some(
      ({ grant }) => grant.at !== 'fleet' && grant.edges !== undefined && !('names' in grant.edges),
    );
    this.#books = new Map();
    this.#kept = 0;
  }
}

/** Only where it is the first: else another rule may be the one that decides. */
function alwaysOf([first]: readonly PolicyGrant[]): Decision | undefined {
  if (first?.grant.at !== 'role' || first.grant.role !== 'admin' || first.grant.edges !== undefined) return undefined;
  return { allowed: true, rule: first.grant.rule, policy: first.policy };
}
