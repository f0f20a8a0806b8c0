import t from 'tap';
import { createLog } from '../../base/index.ts';
import { StrangerLog } from '../../gateway/stranger-log.ts';
import { ManualClock } from './audit/manual-clock.ts';

t.test('who knocks a thousand times is told of once a second', async (t) => {
  const lines: string[] = [];
  const log = createLog({ name: 'test', level: 'info', destination: { write: (line) => void lines.push(line) } });
  const clock = new ManualClock();
  const strangers = new StrangerLog(log, clock);
  for (let knock = 0; knock < 1000; knock++) strangers.tell('link-refused', { remote: '192.0.2.1' });
  t.equal(lines.length, 1);
  strangers.tell('link-refused', { remote: '192.0.2.2' }, 'known');
  strangers.tell('link-handshake-failed', {});
  t.equal(lines.length, 3, 'others are not hidden behind him');
  clock.advance(1000);
  strangers.tell('link-refused', {});
  t.equal(lines.length, 4);
});
