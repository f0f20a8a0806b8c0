import type { X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { revokedReplicasIn, revokedText } from '../../api/index.ts';
import { BoundedMap } from '../../base/index.ts';
import { identityIn, identityName, keyPinOf, leafFields } from '../../certs/index.ts';
import { tunnelError } from '../../tunnel/index.ts';

/**
 * What was told longer ago counts no more: a replica that was broken into could name all others, and an edge that believes
 * that for ever would never come back. Until then there are other keys to trust.
 */
const KEPT_MS = 7 * 24 * 3_600_000;
const MAX_TARGETS = 256;
/** Three of each replica. */
const MAX_TEXTS = 48;

/**
 * The replicas that are revoked, as the replicas say that this edge has links with: it keeps away from them, also after a restart, also when
 * only they answer. It can be told by nobody else, so an edge that only ever reaches such a one does not hear of it.
 */
export class RevokedReplicas {
  readonly #file: string | undefined;
  readonly #wallClock: () => number;
  #revoked: ReadonlySet<string> = new Set();
  #saidAt = 0;
  /** Who has answered at each address, as texts that a revocation may have. */
  readonly #answered = new BoundedMap<string, readonly string[]>(MAX_TARGETS);
  #saving: Promise<void> = Promise.resolve();

  /** What was kept in the directory; without one nothing is. */
  static async open(directory: string | undefined, wallClock: () => number): Promise<RevokedReplicas> {
    const revoked = new RevokedReplicas(directory, wallClock);
    await revoked.#load();
    return revoked;
  }

  private constructor(directory: string | undefined, wallClock: () => number) {
    this.#file = directory === undefined ? undefined : join(directory, 'revoked-replicas.json');
    this.#wallClock = wallClock;
  }

  /** Takes what a WELCOME says, or an UPDATE that says something of it. Returns whether it was news. */
  learn(said: unknown): boolean {
    const revoked = new Set(revokedReplicasIn(said));
    const isNews = revoked.size !== this.#revoked.size || [...revoked].some((each) => !this.#revoked.has(each));
    // Said again, it counts for longer; that is written once a day at most.
    const isStale = revoked.size > 0 && this.#wallClock() - this.#saidAt > KEPT_MS / 7;
    if (!isNews && !isStale) return false;
    this.#revoked = revoked;
    this.#saidAt = this.#wallClock();
    this.#saving = this.#saving.then(() => this.#save());
    return isNews;
  }

  /** Who has answered at an address. Throws `link-refused` when that replica is revoked. */
  check(target: string, leaf: X509Certificate | undefined): void {
    if (leaf === undefined) throw tunnelError('link-refused', { detail: 'it has shown no certificate' });
    const texts = [
      revokedText.principal(identityName(identityIn(leafFields(leaf)))),
      revokedText.key(keyPinOf(leaf)),
      revokedText.serial(leaf.serialNumber),
    ];
    if (this.#isRevoked(texts)) throw tunnelError('link-refused', { detail: 'this replica is revoked' });
    // Behind a load balancer it is not always the same one.
    const others = (this.#answered.get(target) ?? []).filter((text) => !texts.includes(text));
    this.#answered.set(target, [...others, ...texts].slice(-MAX_TEXTS));
  }

  /** Whether one that is revoked now has answered at this address. */
  hasAnswered(target: string): boolean {
    return this.#isRevoked(this.#answered.get(target) ?? []);
  }

  #isRevoked(texts: readonly string[]): boolean {
    return this.#wallClock() - this.#saidAt <= KEPT_MS && texts.some((text) => this.#revoked.has(text));
  }

  async #load(): Promise<void> {
    if (this.#file === undefined) return;
    try {
      const { saidAt, revoked } = JSON.parse(await readFile(this.#file, 'utf8')) as Record<string, unknown>;
      // A clock that was ahead when this was written must not keep it for ever.
      this.#saidAt = typeof saidAt === 'number' ? Math.min(saidAt, this.#wallClock()) : 0;
      this.#revoked = new Set(revokedReplicasIn(revoked));
    } catch {
      // Missing or damaged: the next WELCOME says it again.
    }
  }

  async #save(): Promise<void> {
    if (this.#file === undefined) return;
    try {
      await mkdir(dirname(this.#file), { recursive: true });
      await writeFile(`${this.#file}.new`, JSON.stringify({ saidAt: this.#saidAt, revoked: [...this.#revoked] }));
      await rename(`${this.#file}.new`, this.#file);
    } catch {
      // A full or read-only disk must not cost a link: it is said again.
    }
  }
}
