import t, { type Test } from 'tap';

import type { Collection, HeldObject } from '../../../resources/collection/collection.ts';
import { parseLabelSelector } from '../../../resources/collection/label-selector.ts';
import type { Selector } from '../../../resources/collection/selector.ts';
import { EventLog } from './event-log.ts';
import { eventText, type PodOptions } from './sample.ts';

/** A collection, and how its objects come to be what they are. */
export interface Subject {
  readonly collection: Collection;
  create(name: string, options?: PodOptions): Promise<HeldObject>;
  /** Replaces labels, node and text. */
  update(name: string, options?: PodOptions): Promise<HeldObject>;
  delete(name: string): Promise<void>;
}

/** Kubernetes' conformance tests of watches that need no cluster: `test/e2e/apimachinery/watch.go`. */
export function watchConformance(name: string, open: (t: Test) => Promise<Subject>): void {
  const conforms = (title: string, run: (t: Test, subject: Subject) => Promise<void>): void => {
    t.test(`Kubernetes watch conformance, ${name}: ${title}`, async (t) => run(t, await open(t)));
  };

  conforms('watches by label selector observe what is added, updated and deleted', async (t, subject) => {
    const a = await EventLog.open(subject.collection, { selector: labelled('l=a') });
    const b = await EventLog.open(subject.collection, { selector: labelled('l=b') });
    const both = await EventLog.open(subject.collection, { selector: labelled('l in (a,b)') });
    await subject.create('a', { labels: { l: 'a' } });
    await subject.update('a', { labels: { l: 'a' }, text: '1' });
    await subject.update('a', { labels: { l: 'a' }, text: '2' });
    await subject.delete('a');
    await subject.create('b', { labels: { l: 'b' } });
    await subject.delete('b');
    await both.until(6);
    await a.until(4);
    await b.until(2);
    t.strictSame(typesOf(a), ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED']);
    t.strictSame(a.events.map(textOf), ['', '1', '2', '2'], 'the last state goes with the deletion');
    t.strictSame(typesOf(b), ['ADDED', 'DELETED']);
    t.strictSame(both.texts, [...a.texts, ...b.texts]);
    for (const { object, line, type } of both.events) {
      const { type: told, object: whole } = JSON.parse(line.toString());
      t.equal(told, type);
      t.equal(whole.metadata.resourceVersion, String(object.version));
      t.strictSame(JSON.parse(object.json.toString()), whole);
    }
  });

  conforms('a watch starts from a resource version', async (t, subject) => {
    await subject.create('a');
    const first = await subject.update('a', { text: '1' });
    const second = await subject.update('a', { text: '2' });
    await subject.delete('a');
    const log = await EventLog.open(subject.collection, { from: first.version });
    await log.until(2);
    t.strictSame(typesOf(log), ['MODIFIED', 'DELETED']);
    t.equal(log.versions[0], second.version);
    t.ok((log.versions[1] ?? 0) > second.version, 'a deletion has a version of its own');
  });

  conforms('a watch that was closed is restarted from the last version it saw, without loss', async (t, subject) => {
    const log = await EventLog.open(subject.collection, { selector: labelled('l=a') });
    await subject.create('a', { labels: { l: 'a' } });
    await subject.update('a', { labels: { l: 'a' }, text: '1' });
    await log.until(2);
    log.watch.close();
    const second = await subject.update('a', { labels: { l: 'a' }, text: '2' });
    await subject.delete('a');
    const from = log.versions.at(-1) ?? 0;
    const again = await EventLog.open(subject.collection, { selector: labelled('l=a'), from });
    await again.until(2);
    t.strictSame(typesOf(again), ['MODIFIED', 'DELETED']);
    t.equal(again.versions[0], second.version);
    t.equal(log.events.length, 2, 'a closed watch tells nothing');
  });

  conforms('an object that stops to match is DELETED, and ADDED when it matches again', async (t, subject) => {
    const log = await EventLog.open(subject.collection, { selector: labelled('l=a') });
    await subject.create('a', { labels: { l: 'a' }, text: '0' });
    await subject.update('a', { labels: { l: 'a' }, text: '1' });
    const left = await subject.update('a', { labels: { l: 'b' }, text: '2' });
    await subject.update('a', { labels: { l: 'b' }, text: '3' });
    const back = await subject.update('a', { labels: { l: 'a' }, text: '4' });
    await subject.update('a', { labels: { l: 'a' }, text: '5' });
    await subject.delete('a');
    await log.until(6);
    t.strictSame(typesOf(log), ['ADDED', 'MODIFIED', 'DELETED', 'ADDED', 'MODIFIED', 'DELETED']);
    t.strictSame(log.events.map(textOf), ['0', '1', '1', '4', '5', '5'], 'DELETED carries what matched last');
    t.equal(log.versions[2], left.version, 'with the version at which it stopped');
    t.equal(log.versions[3], back.version);
  });

  conforms('many concurrent watches see the same order', async (t, subject) => {
    const logs: { readonly from: number; readonly log: EventLog }[] = [];
    const origin = await EventLog.open(subject.collection);
    const write = async (writer: number): Promise<void> => {
      for (let round = 0; round < 10; round++) {
        const { version: from } = await subject.create(`w${writer}`, { text: String(round) });
        logs.push({ from, log: await EventLog.open(subject.collection, { from }) });
        await subject.update(`w${writer}`, { text: `${round}.` });
        if (round < 9) await subject.delete(`w${writer}`);
      }
    };
    await Promise.all(Array.from({ length: 6 }, (_, writer) => write(writer)));
    await origin.until(6 * 29);
    t.strictSame(
      origin.versions,
      origin.versions.toSorted((a, b) => a - b),
    );
    t.equal(new Set(origin.versions).size, 6 * 29);
    t.equal(logs.length, 60);
    for (const { from, log } of logs) {
      const expected = origin.events.filter(({ object }) => object.version > from).map(eventText);
      await log.until(expected.length);
      t.strictSame(log.texts, expected);
    }
  });
}

function labelled(text: string): Selector {
  return { labels: parseLabelSelector(text), fields: [] };
}

function typesOf({ events }: EventLog): string[] {
  return events.map(({ type }) => type);
}

function textOf({ object }: { readonly object: HeldObject }): string {
  return String(JSON.parse(object.json.toString()).spec.text);
}
