import t from 'tap';
import { systemClock } from '../../base/index.ts';
import { Router, type RouterOptions } from '../../gateway/router.ts';
import {
  defaultLimits,
  FrameType,
  LoopPort,
  tunnelError,
  type OpenFrame,
  type Passage,
  type Port,
  type Route,
} from '../../tunnel/index.ts';

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

t.test('what another replica has let through goes over an own link or nowhere, and keeps its principal', (t) => {
  const replica = portOf('replica');
  const link = portOf('link');
  const links = new Map<string, Port>([['edge-1', link]]);
  const options = {
    front: portOf('front'),
    directory: { admission: (edge: string) => (edge === 'edge-9' ? 'denied' : 'allowed') },
    revocations: {
      nameRefusal: (principal: string) =>
        principal === 'operator/mallory' ? tunnelError('denied', { detail: 'revoked' }) : undefined,
    },
    ownLink: (edge: string) => links.get(edge),
    locator: { route: () => t.fail('it is not looked for elsewhere') },
    accessOf: () => t.fail('the first replica has asked the policy'),
  };
  const router = new Router(options as unknown as RouterOptions);
  router.addReplica(replica);
  const route = (edge: string, principal = 'operator/alice'): Route | Promise<Route> => {
    const { target } = passageFrom(replica);
    const frame = { type: FrameType.OPEN, target: { ...target, edge, principal } };
    return router.route(frame as unknown as OpenFrame, replica, { gone: false });
  };
  const codeOf = (found: Route | Promise<Route>): string =>
    !(found instanceof Promise) && 'refuse' in found ? found.refuse.code : '';
  t.strictSame(route('edge-1'), { port: link, principal: 'operator/alice' });
  t.equal(codeOf(route('edge-2')), 'not-here');
  t.equal(codeOf(route('edge-9')), 'edge-denied');
  t.equal(codeOf(route('edge-1', 'operator/mallory')), 'denied');
  router.removeReplica(replica);
  t.equal(codeOf(route('edge-1')), 'denied', 'a port that is no replica’s has no word on the principal');
  t.end();
});
