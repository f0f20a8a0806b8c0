import { test } from 'tap';
import { KindLog, type KindLogOptions } from '../../../edge-agent/feed/kind-log.ts';
import type { KindReader } from '../../../edge-agent/feed/kind-reader.ts';
import { decodeDelta, fingerprintOf, type Fingerprint } from '../../../resources/index.ts';
import { Random } from '../../simulation/random.ts';

/** A replica as far as the log is concerned. */
class Reading {
  readonly objects = new Map<string, Buffer>();
  mismatches = 0;
  /** Changes that came though others before them had not, and nobody had said that it was a leap. */
  unsaidLeaps = 0;
  followed = 0;
  readonly #log: KindLog;
  readonly #commits: readonly number[];
  #reader: KindReader;
  #cursor: number | undefined;
  /** How many of the commits are known to be held. */
  #held: number | undefined;

  constructor(log: KindLog, commits: readonly number[]) {
    this.#log = log;
    this.#commits = commits;
    this.#reader = log.readAll(new Set());
  }

  read(count: number): void {
    if (this.#reader.isBehind) this.#compare();
    for (let left = count; left > 0; left--) {
      const isFollowing = !this.#reader.isWhole && !this.#reader.leaps;
      const next = this.#reader.read();
      if (next === undefined) break;
      if (next === 'skipped') continue;
      const { entry, delta } = next;
      const place = this.#commits.indexOf(entry.version);
      if (isFollowing) {
        this.followed++;
        if (this.#held !== undefined && place !== this.#held) this.unsaidLeaps++;
      }
      this.#held = this.#reader.isWhole || this.#reader.leaps ? undefined : place + 1;
      if (entry.json === undefined) this.objects.delete(entry.name);
      else if (delta === undefined) this.objects.set(entry.name, entry.json);
      else {
        const base = this.objects.get(entry.name);
        if (base === undefined || fingerprintOf(base) !== delta.base.fingerprint) this.mismatches++;
        else this.objects.set(entry.name, decodeDelta(base, delta.bytes));
      }
    }
    // In the middle of a leap there is no place to go on from.
    if (!this.#reader.isWhole) this.#cursor = this.#reader.leaps ? undefined : this.#reader.sequence;
    else if (this.#reader.atEnd) {
      const absent = new Set(this.#reader.finishWhole());
      this.#held = this.#commits.length;
      for (const [name, object] of this.objects) if (absent.has(fingerprintOf(object))) this.objects.delete(name);
      this.#cursor = this.#reader.sequence;
    }
  }

  reconnect(): void {
    this.#reader.close();
    const resumed = this.#cursor === undefined ? undefined : this.#log.readFrom(this.#cursor);
    if (resumed === undefined) this.#compare();
    else this.#reader = resumed;
  }

  #compare(): void {
    this.#reader.close();
    this.#cursor = undefined;
    this.#reader = this.#log.readAll(new Set<Fingerprint>([...this.objects.values()].map(fingerprintOf)));
  }
}

test('A reader gets each object once, in its newest state', (t) => {
  const log = newLog();
  put(log, 'a', 1);
  put(log, 'b', 2);
  put(log, 'a', 3);
  t.strictSame(read(log.readAll(new Set())), ['b@2', 'a@3']);
  t.end();
});

test('A reader goes on behind its sequence, over what came, moved and went', (t) => {
  const log = newLog();
  put(log, 'a', 1);
  put(log, 'b', 2);
  const reader = log.readAll(new Set());
  t.strictSame(read(reader), ['a@1', 'b@2']);
  put(log, 'c', 3);
  log.delete('', 'a', 4);
  t.strictSame(read(reader), ['c@3', 'a gone@4']);
  t.equal(reader.atEnd, true);
  const resumed = log.readFrom(2);
  t.strictSame(read(resumed), ['c@3', 'a gone@4']);
  t.end();
});

test('The same bytes are no change', (t) => {
  const log = newLog();
  t.equal(put(log, 'a', 1), true);
  t.equal(put(log, 'a', 1), false);
  t.equal(log.size, 1);
  t.end();
});

test('What a reader knows is not read, and what it knows and is not there is told', (t) => {
  const log = newLog();
  put(log, 'a', 1);
  put(log, 'b', 2);
  const gone = fingerprintOf(Buffer.from('something'));
  const reader = log.readAll(new Set([fingerprintOf(json('a', 1)), gone]));
  t.strictSame(read(reader), ['b@2']);
  t.equal(reader.isWhole, true);
  t.strictSame(reader.finishWhole(), [gone]);
  t.equal(reader.isWhole, false);
  t.end();
});

test('Behind forgotten deletions nobody goes on', (t) => {
  const log = newLog({ maxTombstones: 2 });
  for (const name of ['a', 'b', 'c', 'd']) put(log, name, 1);
  const slow = log.readAll(new Set());
  read(slow);
  for (const name of ['a', 'b', 'c']) log.delete('', name, 9);
  t.equal(slow.isBehind, true, 'it has not read the deletion that is forgotten');
  t.equal(log.readFrom(4), undefined);
  t.not(log.readFrom(5), undefined, 'the forgotten one has the sequence 5');
  t.equal(log.readAll(new Set()).isBehind, false, 'who compares everything misses nothing');
  t.end();
});

test('Who has the state before gets the difference', (t) => {
  const log = newLog();
  put(log, 'a', 1, 'x'.repeat(2000));
  const [one, late] = [log.readAll(new Set()), log.readAll(new Set())];
  change(one);
  one.finishWhole();
  put(log, 'a', 2, 'x'.repeat(2000));
  const next = change(one);
  t.ok(next?.delta);
  t.same(decodeDelta(json('a', 1, 'x'.repeat(2000)), next?.delta?.bytes ?? Buffer.alloc(0)), next?.entry.json);
  t.equal(change(late)?.delta, undefined, 'it never had the first');
  t.ok(change(log.readFrom(1))?.delta, 'who comes with that cursor has');
  t.end();
});

test('A difference goes to who resumes, and to who says that it has the base', (t) => {
  const log = newLog();
  const text = 'x'.repeat(2000);
  put(log, 'a', 1, text);
  const gone = log.readAll(new Set());
  change(gone);
  gone.close();
  put(log, 'a', 2, text);
  t.ok(change(log.readFrom(1))?.delta);
  t.ok(change(log.readAll(new Set([fingerprintOf(json('a', 1, text))])))?.delta);
  t.equal(change(log.readAll(new Set()))?.delta, undefined);
  t.end();
});

test('Who reads on gets every change of an object, each as the difference from the one before', (t) => {
  const log = newLog();
  const text = 'x'.repeat(2000);
  put(log, 'a', 1, text);
  const reader = log.readAll(new Set());
  read(reader);
  reader.finishWhole();
  put(log, 'a', 2, text);
  put(log, 'a', 3, text);
  put(log, 'b', 4, text);
  log.delete('', 'a', 5);
  put(log, 'a', 6, text);
  const all = ['a@2', 'a@3', 'b@4', 'a gone@5', 'a@6'];
  t.equal(reader.leaps, false);
  t.strictSame(read(reader), all);
  const resumed = log.readFrom(1);
  t.strictSame(read(resumed), all, 'and so does who comes with a cursor');
  t.strictSame(read(log.readFrom(3)), all.slice(2));
  const other = log.readFrom(1);
  t.strictSame(
    [change(other), change(other), change(other), change(other), change(other)].map(
      (next) => next?.delta !== undefined,
    ),
    [true, true, false, false, false],
    'what is new, or new again, has nothing before it',
  );
  t.strictSame(read(log.readAll(new Set())), ['b@4', 'a@6'], 'who reads everything gets the newest states');
  t.end();
});

test('Who has read that there is nothing gets every change', (t) => {
  const log = newLog();
  const reader = log.readAll(new Set());
  t.equal(change(reader), undefined);
  reader.finishWhole();
  put(log, 'a', 1);
  put(log, 'a', 2);
  t.equal(reader.leaps, false);
  t.strictSame(read(reader), ['a@1', 'a@2']);
  t.end();
});

test('Who comes from below the floor of the history leaps to the newest states, and is told', (t) => {
  const log = newLog({ maxHistoryBytes: 3000 });
  const text = 'x'.repeat(700);
  for (const name of ['a', 'b']) put(log, name, 1, text);
  const slow = log.readAll(new Set());
  read(slow);
  slow.finishWhole();
  for (let version = 2; version <= 11; version++) put(log, version % 2 === 0 ? 'a' : 'b', version, text);
  t.equal(slow.leaps, true);
  t.strictSame(read(slow), ['a@10', 'b@11'], 'states that were superseded are not told in a leap');
  t.equal(slow.leaps, false);
  put(log, 'a', 12, text);
  t.equal(slow.leaps, false);
  t.ok(change(slow)?.delta);
  t.end();
});

test('What comes from a list is a leap', (t) => {
  const log = newLog();
  put(log, 'a', 1);
  const reader = log.readAll(new Set());
  read(reader);
  reader.finishWhole();
  log.put('', 'a', 5, json('a', 5), true);
  log.put('', 'a', 5, json('a', 5), true);
  t.equal(reader.leaps, true);
  t.strictSame(read(reader), ['a@5']);
  t.equal(reader.leaps, false);
  t.end();
});

test('Older states are kept within their bound', (t) => {
  const log = newLog({ maxBaseBytes: 5000, maxHistoryBytes: 0 });
  const names = Array.from({ length: 20 }, (_, index) => `pod-${index}`);
  for (const name of names) put(log, name, 1, 'x'.repeat(1000));
  const reader = log.readAll(new Set());
  read(reader);
  reader.finishWhole();
  const { bytes } = log;
  for (const name of names) put(log, name, 2, 'x'.repeat(1000));
  t.ok(log.bytes <= bytes + 5000);
  let deltas = 0;
  for (let next = change(reader); next !== undefined; next = change(reader)) if (next.delta !== undefined) deltas++;
  t.equal(deltas, 4);
  t.equal(log.bytes, bytes, 'once the difference is made, the older state is not needed');
  t.end();
});

test('Any number of readers at any pace come to the same, by states and by differences', (t) => {
  let followed = 0;
  for (let seed = 0; seed < 50; seed++) {
    const random = new Random(seed);
    const log = newLog({
      maxTombstones: 8,
      maxBaseBytes: 3000,
      maxHistoryBytes: random.anyOf([0, 2000, 100_000]) ?? 0,
    });
    const model = new Map<string, Buffer>();
    let version = 0;
    const commits: number[] = [];
    const replicas = Array.from({ length: 3 }, () => new Reading(log, commits));
    for (let step = 0; step < 400; step++) {
      const name = `o${random.int(0, 15)}`;
      version++;
      if (random.chance(0.2)) {
        if (log.delete('', name, version)) {
          model.delete(name);
          commits.push(version);
        }
      } else {
        commits.push(version);
        const object = json(name, version, 'x'.repeat(random.int(0, 400)));
        log.put('', name, version, object);
        model.set(name, object);
      }
      const replica = random.anyOf(replicas);
      if (random.chance(0.5)) replica?.read(random.int(1, 12));
      if (random.chance(0.03)) replica?.reconnect();
    }
    for (const replica of replicas) {
      replica.read(Infinity);
      t.strictSame(
        new Map([...replica.objects].map(([name, object]) => [name, object.toString()])),
        new Map([...model].map(([name, object]) => [name, object.toString()])),
        `seed ${seed}`,
      );
      t.equal(replica.mismatches, 0);
      t.equal(replica.unsaidLeaps, 0);
      followed += replica.followed;
    }
  }
  t.ok(followed > 5000, `${followed} changes that followed the one before`);
  t.end();
});

function newLog(options: Partial<KindLogOptions> = {}): KindLog {
  let sequence = 0;
  return new KindLog({ nextSequence: () => ++sequence, ...options });
}

function json(name: string, version: number, text = ''): Buffer {
  return Buffer.from(JSON.stringify({ name, version, text }));
}

function put(log: KindLog, name: string, version: number, text = ''): boolean {
  return log.put('', name, version, json(name, version, text));
}

/** The next that is not known. */
function change(reader: KindReader | undefined) {
  for (;;) {
    const next = reader?.read();
    if (next !== 'skipped') return next;
  }
}

function read(reader: KindReader | undefined): string[] {
  const found: string[] = [];
  for (let next = change(reader); next !== undefined; next = change(reader))
    found.push(`${next.entry.name}${next.entry.json === undefined ? ' gone' : ''}@${next.entry.version}`);
  return found;
}
