import { test } from 'tap';
import { judge, type Commit, type Met } from './commits.ts';
import { informers } from './informers.ts';
import { testShortForm } from './short-form.ts';

testShortForm("informers of Kubernetes' own client miss nothing while links are lost", () => informers(false));

const commits: readonly Commit[] = [
  { name: 'a', isDelete: false, before: 0 },
  { name: 'b', isDelete: false, before: 0 },
  { name: 'a', isDelete: false, before: 1 },
  { name: 'a', isDelete: true, before: 3 },
  { name: 'b', isDelete: false, before: 2 },
  { name: 'a', isDelete: false, before: 4 },
];

/** `a1` tells of the first commit, `-a3` that what the third left is deleted. */
function event(words: string, version: number): Met {
  const isDelete = words.startsWith('-');
  const [name = '', commit = ''] = words.replace('-', '');
  const type = isDelete ? 'DELETED' : 'MODIFIED';
  return { met: 'event', type, version, object: { writer: 'w', name, commit: Number(commit) } };
}

function list(version: number, ...words: readonly string[]): Met {
  const objects = words.map(([name = '', commit = '']) => ({ writer: 'w', name, commit: Number(commit) }));
  return { met: 'list', version, objects };
}

test('the judge of informers finds what is lost, doubled, out of order and unknown', (t) => {
  const faults = (...log: readonly Met[]) => {
    const { lost, doubled, disordered, unknown, leapt } = judge(log, { w: commits }, { w: [[5, 5]] });
    return { lost, doubled, disordered, unknown, leapt };
  };
  const none = { lost: 0, doubled: 0, disordered: 0, unknown: 0, leapt: 0 };
  const all = [event('a1', 1), event('b2', 2), event('a3', 3), event('-a3', 4), event('b5', 5), event('a6', 6)];
  t.same(faults(list(0), ...all), none);
  t.same(faults(list(2, 'a1', 'b2'), ...all.slice(2)), none);
  t.same(faults(list(4, 'b2'), event('b5', 5)), none, 'a list shows of a deletion that there is nothing');
  t.same(faults(list(0), ...all.slice(0, 1), ...all.slice(2)), { ...none, lost: 1 });
  t.same(faults(list(3, 'a3', 'b2'), event('b5', 5)), { ...none, lost: 1 }, 'nobody has told of the deletion');
  t.same(faults(list(0), event('a1', 1), event('a1', 2)), { ...none, doubled: 1 });
  t.same(faults(list(0), event('a1', 2), event('b2', 1)), { ...none, disordered: 1 });
  t.same(faults(list(0), event('b1', 1)), { ...none, unknown: 1 });
  t.same(faults(list(4, 'b2'), event('a6', 6)), { ...none, leapt: 1 }, 'what was allowed');
  const deleted = judge([list(2, 'a1', 'b2'), event('-a1', 4)], { w: commits }, { w: [[3, 4]] });
  t.match(deleted, { unknown: 0, leapt: 1 }, 'a deletion within a leap shows what was before the leap');
  t.end();
});
