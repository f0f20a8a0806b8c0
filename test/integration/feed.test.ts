import { test } from 'tap';
import { clientTls } from '../../certs/index.ts';
import { defaultLimits, dialLink, encodeFrame, FrameDecoder, FrameType, type Frame } from '../../tunnel/index.ts';
import { Cluster } from '../support/cluster.ts';
import type { FedEdge } from '../support/fed-edge.ts';
import { startKube } from '../support/fed-kube.ts';
import { withLeakCheck } from '../support/leak-check.ts';
import { waitFor } from '../support/wait-for.ts';

const PODS = '/edges/edge-1/kube/api/v1/pods?resourceVersion=0';

test('a copy at the replica follows its edge over losses of links and restarts of the agent', async (t) => {
  withLeakCheck(t);
  const { edge, service } = await startKube(t);
  const cluster = await Cluster.start(t, { weak: true, services: () => [service] });
  for (let index = 0; index < 100; index++) edge.api.put(`pod-${index}`, { index });
  await same(cluster, edge);
  for (let round = 0; round < 5; round++) {
    cluster.weak('edge-1').cutAll();
    for (let index = 0; index < 20; index++) edge.api.put(`pod-${round * 10 + index}`, { round, index });
    edge.api.remove(`pod-${90 + round}`);
    await same(cluster, edge);
  }
  await cluster.stopAgent('edge-1');
  edge.api.put('meanwhile');
  await cluster.startAgent('edge-1');
  await same(cluster, edge);
});

test('a client cannot open a feed', async (t) => {
  withLeakCheck(t);
  const { service } = await startKube(t);
  const cluster = await Cluster.start(t, { services: () => [service] });
  const credentials = await cluster.certificates.credentials('component/inventory');
  const wire = await dialLink(`127.0.0.1:${cluster.ports.link}`, clientTls(credentials));
  const decoder = new FrameDecoder(defaultLimits, wire.peerHeaderBytes);
  const frames: Frame[] = [];
  wire.user = {
    onMessage: (message) => decoder.decode(message, (frame) => frames.push(frame) > 0),
    onDrain() {},
    onText() {},
    onClose() {},
  };
  t.teardown(() => wire.destroy());
  const send = (frame: Frame): void => {
    wire.send(Buffer.concat([Buffer.alloc(wire.headerBytes), encodeFrame(frame, defaultLimits.maxFrameBytes)]));
  };
  send({ type: FrameType.HELLO, channel: 0, body: { role: 'client', version: 1, instance: 'deadbeef' } });
  await waitFor('the welcome', () => frames.some(({ type }) => type === FrameType.WELCOME));
  send({
    type: FrameType.OPEN,
    channel: 1,
    id: '00'.repeat(16),
    instance: '',
    attempt: 1,
    class: 1,
    received: 0,
    limit: 65_536,
    target: {
      edge: 'edge-1',
      service: 'kube',
      kind: 'sync',
      verb: 'connect',
      path: '',
      principal: 'replica/site-a/r0',
    },
    head: Buffer.from('{"version":1,"cursors":{}}'),
  });
  const refused = await waitFor('the refusal', () => frames.find(({ type }) => type === FrameType.REFUSE));
  t.match(refused, { code: 'denied' });
});

/** Until cached reads tell what the edge has. */
async function same(cluster: Cluster, edge: FedEdge): Promise<void> {
  await waitFor(
    'the copy equals the edge',
    async () => {
      const answer = await cluster.ask(PODS, { headers: { 'Cache-Control': 'only-if-cached' } });
      if (answer.status !== 200) return false;
      const { items } = JSON.parse(answer.body.toString()) as { items: { metadata: { name: string } }[] };
      const found = new Map(items.map((item) => [item.metadata.name, JSON.stringify(item)]));
      const expected = [...edge.api.objects.values()];
      return (
        found.size === expected.length &&
        expected.every((object) => found.get(object.metadata.name ?? '') === JSON.stringify(object))
      );
    },
    { deadlineMs: 20_000, everyMs: 50 },
  );
}
