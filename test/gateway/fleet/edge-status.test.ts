import t from 'tap';
import { initialEdgeStatus, parseEdgeNode, type EdgeNodeStatus } from '../../../api/index.ts';
import type { EdgePresence } from '../../../gateway/edge-registry.ts';
import { nextEdgeStatus, REFRESH_MS, type EdgeObservation } from '../../../gateway/fleet/edge-status.ts';
import type { Link } from '../../../tunnel/index.ts';

const START = Date.parse('2030-01-02T03:04:05Z');
const REPLICA = 'site-a/r0';

/** As much of a link as a status tells. */
function link(id: string, rttMs?: number): Link {
  return { id, remote: '10.0.0.1:4711', stats: { rttMs } } as unknown as Link;
}

function presence(links: readonly Link[], more: Partial<EdgePresence> = {}): EdgePresence {
  return {
    edge: 'edge-1',
    instance: 'aa',
    epoch: 1,
    agentVersion: '1.0',
    services: [{ name: 'kube', kind: 'http' }],
    links: links.map((one, index) => ({ link: one, active: index === 0, since: START })),
    lastContact: START,
    ...more,
  };
}

function seen(more: Partial<EdgeObservation>): EdgeObservation {
  return { replica: REPLICA, now: START, ...more };
}

function condition(status: EdgeNodeStatus, type: string) {
  return status.conditions?.find((one) => one.type === type);
}

t.test('an edge comes online, goes, and its last contact stays', async (t) => {
  const online = nextEdgeStatus(undefined, seen({ presence: presence([link('a'), link('b')]) }));
  t.match(online, { online: true, instance: 'aa', epoch: 1, agentVersion: '1.0', services: [{ name: 'kube' }] });
  t.strictSame(
    online.links.map(({ id, active, replica }) => [id, active, replica]),
    [
      ['a', true, REPLICA],
      ['b', false, REPLICA],
    ],
  );
  t.match(condition(online, 'Online'), {
    status: 'True',
    reason: 'Linked',
    lastTransitionTime: '2030-01-02T03:04:05.000Z',
  });

  const lost = seen({ presence: presence([], { lastContact: START + 7000 }), now: START + 9000 });
  const offline = nextEdgeStatus(online, lost);
  t.match(offline, { online: false, links: [], lastContact: '2030-01-02T03:04:12.000Z', instance: 'aa' });
  t.match(condition(offline, 'Online'), { status: 'False', lastTransitionTime: '2030-01-02T03:04:14.000Z' });
  t.equal(nextEdgeStatus(offline, { ...lost, now: START + 99_000 }), offline, 'and then nothing changes');

  const afterRestart = nextEdgeStatus(online, seen({ now: START + 99_000 }));
  t.match(
    afterRestart,
    { online: false, links: [], lastContact: '2030-01-02T03:04:05.000Z' },
    'also by a process that never saw it',
  );
});

t.test('what changes all the time is no change', async (t) => {
  const first = nextEdgeStatus(undefined, seen({ presence: presence([link('a')]) }));
  t.equal(first.links[0]?.rttMs, null);
  const known = nextEdgeStatus(first, seen({ presence: presence([link('a', 5)]), now: START + 1000 }));
  t.equal(known.links[0]?.rttMs, 5, 'the first round trip counts');
  const later = seen({ presence: presence([link('a', 9)]), now: START + 60_000 });
  t.equal(nextEdgeStatus(known, later), known, 'another one and another minute do not');
  const refreshed = nextEdgeStatus(known, { ...later, now: START + 1000 + REFRESH_MS });
  t.match(refreshed, { links: [{ rttMs: 9 }], lastContact: '2030-01-02T03:09:06.000Z' }, 'now and then they do');
});

t.test('what other replicas say of their links stays', async (t) => {
  const other = { id: 'x', replica: 'site-b/r0', active: true, since: '2030-01-01T00:00:00Z', rttMs: 1, remote: 'r' };
  const before: EdgeNodeStatus = { ...initialEdgeStatus(), online: true, links: [other], epoch: 5, instance: 'new' };
  const both = nextEdgeStatus(before, seen({ presence: presence([link('a')], { epoch: 4 }) }));
  t.strictSame(
    both.links.map(({ id }) => id),
    ['x', 'a'],
  );
  t.match(both, { epoch: 5, instance: 'new' }, 'nor does an older instance say who the edge is');
  const without = nextEdgeStatus(both, seen({ presence: presence([], { epoch: 4 }) }));
  t.match(without, { online: true, links: [{ id: 'x' }] }, 'the edge is online while anyone has a link');
});

t.test('the health of the API at the edge is what its feed reports', async (t) => {
  const at = (cache: EdgeObservation['cache'], old?: EdgeNodeStatus): EdgeNodeStatus =>
    nextEdgeStatus(old, seen({ presence: presence([link('a')]), cache }));
  const good = at({ isConnected: true, isComplete: true });
  t.match(condition(good, 'CacheSynced'), { status: 'True' });
  t.match(condition(good, 'KubeHealthy'), { status: 'True' });
  const bad = at({ isConnected: true, isComplete: true, problem: { reason: 'Forbidden', message: 'pods: no' } }, good);
  t.match(condition(bad, 'KubeHealthy'), { status: 'False', reason: 'Forbidden', message: 'pods: no' });
  t.match(condition(bad, 'CacheSynced'), { status: 'False' });
  const away = at({ isConnected: false, isComplete: true }, bad);
  t.match(condition(away, 'KubeHealthy'), { status: 'Unknown' });
  t.match(condition(at({ isConnected: true, isComplete: false }), 'CacheSynced'), {
    status: 'False',
    reason: 'Syncing',
  });
  t.equal(condition(at(undefined), 'KubeHealthy'), undefined, 'an edge that feeds nothing has no such condition');
  const node = {
    apiVersion: 'causeway.io/v1',
    kind: 'EdgeNode',
    metadata: { name: 'e' },
    spec: { admission: 'Allowed' },
  };
  t.doesNotThrow(() => parseEdgeNode({ ...node, status: bad }), 'and it is a status by the schema');
});

t.test('a part of a status that somebody wrote is completed', async (t) => {
  const part = { online: true } as unknown as EdgeNodeStatus;
  t.match(nextEdgeStatus(part, seen({})), { online: false, links: [], services: [], epoch: 0 });
});
