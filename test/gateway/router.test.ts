import t from 'tap';
import { systemClock } from '../../base/index.ts';
import { Router, type RouterOptions } from '../../gateway/router.ts';
import { defaultLimits, LoopPort, type Passage, type Port } from '../../tunnel/index.ts';

const portOf = (name: string): Port => LoopPort.pair(name, systemClock, defaultLimits)[0];

function passageFrom(from: Port): Passage {
  const target = { edge: 'edge-1', service: 'ssh', kind: 'tcp', verb: '', path: '', principal: 'operator/alice' };
  return { target, from, answer: 'taken', bytesUp: 1, bytesDown: 2, durationMs: 3 };
}

t.test(
  'a stream that ends after its link is recorded as whose it was: a client’s here, another replica’s there',
  (t) => {
    const ended: Passage[] = [];
    const options = {
      front: portOf('front'),
      audit: {
        allowed: () => undefined,
        refused: () => undefined,
        ended: (passage: Passage) => void ended.push(passage),
      },
    };
    // What a passage's end does not look at is left out.
    const router = new Router(options as unknown as RouterOptions);
    const replica = portOf('replica');
    router.addReplica(replica);
    router.passed(passageFrom(replica));
    router.removeReplica(replica);
    router.passed(passageFrom(replica));
    t.equal(ended.length, 0);
    const client = portOf('client');
    router.passed(passageFrom(client));
    t.equal(ended.length, 1, 'the end of a client’s link is before the end of its streams as well');
    t.end();
  },
);
