import { maxRevokedReplicas, revokedText } from '../../api/index.ts';
import type { CodedError } from '../../base/index.ts';
import { identityName, type Identity } from '../../certs/index.ts';
import type { Collection } from '../../resources/index.ts';
import { tunnelError } from '../../tunnel/index.ts';
import { CollectionMirror } from '../collection-mirror.ts';
import type { EdgeBan } from './edge-ban.ts';

/** What a handshake proved beside the name. */
export interface KeyFacts {
  /** `keyPinOf` of the leaf. */
  readonly keyPin: string;
  /** The leaf's serial number in hex, as `X509Certificate.serialNumber` has it. */
  readonly serial: string;
}

/** One who is revoked need not ask often: it takes an operator to change that. */
const RETRY_MS = 60_000;

/**
 * The revoked identities, keys and certificates, in memory: asked at each handshake, stream and request, and kept equal to the
 * `Revocation` objects by a watch.
 */
export class Revocations implements EdgeBan {
  /** What is revoked, and the objects that say so. */
  readonly #revoked = new Map<string, Set<string>>();
  readonly #targets = new Map<string, string>();
  readonly #listeners: ((edges: readonly string[]) => void)[] = [];
  /** Objects that cannot be read: they say what they said before, the first time nothing. */
  readonly #unreadable = new Set<string>();
  /** What has changed, and was not told yet. */
  readonly #changed = new Set<string>();
  #mirror: CollectionMirror | undefined;

  static async open({
    collection,
    onFault,
  }: {
    /** The `Revocation` objects. */
    readonly collection: Collection;
    readonly onFault: (error: unknown) => void;
  }): Promise<Revocations> {
    const revocations = new Revocations();
    revocations.#mirror = await CollectionMirror.open({
      collection,
      onPut: (name, object) => revocations.#put(name, object),
      onGone: (name) => {
        revocations.#unreadable.delete(name);
        revocations.#set(name, undefined);
      },
      onRead: () => revocations.#tell(),
      onFault,
    });
    return revocations;
  }

  private constructor() {}

  /**
   * Why this identity with this key may do nothing: `revoked`; undefined when it may. Without `facts` the name alone counts. The
   * operator's reason is not told: who is refused may be a thief.
   */
  refusal(identity: Identity, facts?: KeyFacts): CodedError | undefined {
    if (this.#revoked.size === 0) return undefined;
    const principal = identityName(identity);
    const refused = this.nameRefusal(principal);
    if (refused !== undefined) return refused;
    if (facts === undefined) return undefined;
    if (this.#revoked.has(revokedText.key(facts.keyPin))) return revokedError(`the key of ${principal}`);
    if (this.#revoked.has(revokedText.serial(facts.serial))) return revokedError(`the certificate of ${principal}`);
    return undefined;
  }

  /** As `refusal`, of a principal whose key is not known here: another replica has seen it. */
  nameRefusal(principal: string): CodedError | undefined {
    return this.#revoked.has(revokedText.principal(principal)) ? revokedError(principal) : undefined;
  }

  /** Why no certificate may be issued for this key: `revoked`; undefined when it may. */
  keyRefusal(keyPin: string): CodedError | undefined {
    return this.#revoked.has(revokedText.key(keyPin)) ? revokedError('the key') : undefined;
  }

  /** What is revoked, in number. */
  get size(): number {
    return this.#revoked.size;
  }

  /** Objects whose latest word cannot be read: somebody may be let in who should not. */
  get unreadable(): number {
    return this.#unreadable.size;
  }

  /**
   * What those are to be told who dial replicas, and cannot ask here: revoked replicas by name, then keys and serial numbers, which may be
   * a replica's, each as `revokedText` writes it. Bounded; bans of edges, which come with their key, are left out.
   */
  get ofReplicas(): readonly string[] {
    const keys: string[] = [];
    const replicas: string[] = [];
    for (const [target, names] of this.#revoked) {
      if (target.startsWith(revokedText.principal('replica/'))) replicas.push(target);
      else if (!target.startsWith(revokedText.principal('')) && ![...names].every((name) => name.startsWith('banned-')))
        keys.push(target);
    }
    return [...replicas, ...keys].slice(0, maxRevokedReplicas);
  }

  denies(edge: string): boolean {
    return this.#revoked.has(revokedText.principal(`edge/${edge}`));
  }

  onChange(listener: (edges: readonly string[]) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#mirror?.close();
  }

  /** Throws what is wrong with the object: an update that cannot be read lifts nothing. */
  #put(name: string, object: unknown): void {
    this.#unreadable.add(name);
    this.#set(name, targetOf(object));
    this.#unreadable.delete(name);
  }

  #set(name: string, target: string | undefined): void {
    const before = this.#targets.get(name);
    if (before === target) return;
    if (before !== undefined) this.#remove(name, before);
    if (target !== undefined) this.#add(name, target);
    for (const changed of [before, target]) if (changed !== undefined) this.#changed.add(changed);
  }

  /** Once for all that came together: who is told looks through everything that is open. */
  #tell(): void {
    if (this.#changed.size === 0) return;
    const edges = [...this.#changed].flatMap((target) => edgeIn(target) ?? []);
    this.#changed.clear();
    for (const listener of this.#listeners) listener(edges);
  }

  #add(name: string, target: string): void {
    this.#targets.set(name, target);
    const names = this.#revoked.get(target) ?? new Set();
    this.#revoked.set(target, names.add(name));
  }

  #remove(name: string, target: string): void {
    this.#targets.delete(name);
    const names = this.#revoked.get(target);
    names?.delete(name);
    if (names?.size === 0) this.#revoked.delete(target);
  }
}

/** What an object revokes, as one text. Throws TypeError where it names nothing: written by another version, perhaps. */
function targetOf(object: unknown): string {
  const { metadata, spec } = object as {
    readonly metadata?: { readonly name?: unknown };
    readonly spec?: Readonly<Record<string, unknown>>;
  };
  const { edge, principal, keyPin, serial } = spec ?? {};
  if (typeof edge === 'string') return revokedText.principal(`edge/${edge}`);
  if (typeof principal === 'string') return revokedText.principal(principal);
  if (typeof keyPin === 'string') return revokedText.key(keyPin);
  if (typeof serial === 'string') return revokedText.serial(serial);
  throw new TypeError(`the Revocation ${String(metadata?.name)} names nothing that is known here`);
}

function edgeIn(target: string): string | undefined {
  const prefix = revokedText.principal('edge/');
  return target.startsWith(prefix) ? target.slice(prefix.length) : undefined;
}

function revokedError(detail: string): CodedError {
  return tunnelError('revoked', { detail, retryAfterMs: RETRY_MS });
}
