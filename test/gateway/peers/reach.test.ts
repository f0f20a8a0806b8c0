import t from 'tap';
import { waysTo } from '../../../gateway/peers/reach.ts';

const at = (replica: string, epoch: number, turn: number) => ({ replica, epoch, turn });

t.test('the replica with the active link comes first, then the others', async (t) => {
  const holders = [at('b', 2, 5), at('a', 2, 1)];
  t.strictSame(waysTo({ epoch: 2, turn: 1 }, holders, 'a'), ['b', 'a']);
  t.strictSame(waysTo(undefined, holders, 'c'), ['b', 'a']);
});

t.test('what is known of the own link is newer than what the store says of it', async (t) => {
  const holders = [at('b', 2, 5), at('a', 2, 1)];
  t.strictSame(waysTo({ epoch: 2, turn: 6 }, holders, 'a'), ['a', 'b']);
  t.strictSame(waysTo({ epoch: 3, turn: 0 }, holders, 'a'), ['a'], 'an older instance is no way');
  t.strictSame(waysTo(undefined, holders, 'a'), ['b'], 'the own link has gone');
});

t.test('a newer instance elsewhere comes before the own link of an older one', async (t) => {
  t.strictSame(waysTo({ epoch: 1, turn: 9 }, [at('b', 2, 0)], 'a'), ['b', 'a']);
});

t.test('where nobody was chosen yet, the own link is nearer', async (t) => {
  t.strictSame(waysTo({ epoch: 1, turn: 0 }, [at('b', 1, 0)], 'a'), ['a', 'b']);
});
