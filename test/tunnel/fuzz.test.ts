import t from 'tap';
import { fuzz } from './fuzz.ts';

t.test('hostile peers lose their links with a reason, and nobody else notices', async (t) => {
  const { reasons, problems, echoed } = fuzz(100_000, 1);
  t.strictSame(problems, []);
  t.ok(echoed > 10_000);
  t.ok(reasons.size >= 4, [...reasons.keys()].join(', '));
});
