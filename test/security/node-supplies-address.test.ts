/**
 * "The node supplies the address that the center dials" (Kubernetes CVE-2022-3294): an edge could send the center's requests,
 * with the center's rights, to any place that the center reaches. Here the center dials nothing for an edge: all that it asks
 * goes over the link that the edge has opened, whatever the edge says of itself.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { test } from 'tap';
import { edgeNodePath } from '../../api/index.ts';
import { clientTls } from '../../certs/index.ts';
import { defaultLimits, dialLink, encodeFrame, FrameDecoder, FrameType, type Frame } from '../../tunnel/index.ts';
import { PolicedFleet } from '../gateway/policy/policed-fleet.ts';
import { waitFor } from '../support/wait-for.ts';

test('addresses that an edge says are told to nobody and dialed by nobody', async (t) => {
  let connections = 0;
  const trap = createTcpServer((socket) => {
    connections++;
    socket.destroy();
  });
  trap.listen(0, '127.0.0.1');
  await once(trap, 'listening');
  t.teardown(() => trap.close());
  const { port } = trap.address() as AddressInfo;
  const fleet = await PolicedFleet.start(t);
  const { cluster } = fleet;
  await cluster.allow('edge-9');

  const credentials = await cluster.certificates.credentials('edge/edge-9');
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
  const address = `127.0.0.1:${port}`;
  const says = { address, host: '127.0.0.1', port, url: `http://${address}`, addresses: [address] };
  const services = ['hello', 'kube'].map((name) => ({ name, kind: 'http', ...says }));
  const body = { role: 'edge', version: 1, instance: 'deadbeef', ...says, kubeletEndpoint: { Port: port }, services };
  const hello: Frame = { type: FrameType.HELLO, channel: 0, body };
  wire.send(Buffer.concat([Buffer.alloc(wire.headerBytes), encodeFrame(hello, defaultLimits.maxFrameBytes)]));
  await waitFor('the welcome', () => frames.some(({ type }) => type === FrameType.WELCOME));

  // Nobody answers at the edge; what is asked for arrives there, and only there.
  const requests = ['hello/x', 'kube/api/v1/nodes/n/proxy/x'].map((path) =>
    fleet.follow('operator/tester', `/edges/edge-9/${path}`),
  );
  for (const request of requests) request.catch(() => undefined);
  for (const service of ['hello', 'kube'])
    await waitFor(`the stream for ${service}`, () =>
      frames.some(
        (frame) => frame.type === FrameType.OPEN && frame.target.service === service && frame.target.kind === 'http',
      ),
    );
  t.notMatch(JSON.stringify(await cluster.node('edge-9')), new RegExp(`:${port}|${port}`), 'it stands nowhere');
  t.equal(connections, 0);
  wire.destroy();
});

test('nor by what an edge’s object says, nor by where its services redirect to', async (t) => {
  const reached: string[] = [];
  const inside = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.end();
  });
  inside.listen(0, '127.0.0.1');
  await once(inside, 'listening');
  const { port } = inside.address() as AddressInfo;
  const service = createServer((_request, response) => {
    response.writeHead(302, { Location: `http://127.0.0.1:${port}/inside` }).end();
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  t.teardown(() => {
    for (const server of [inside, service]) {
      server.closeAllConnections();
      server.close();
    }
  });
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const fleet = await PolicedFleet.start(t, { services: () => [{ name: 'hello', kind: 'http', url }] });
  const { headers, status } = await fleet.ask('operator/tester', '/edges/edge-1/hello/');
  t.match({ status, location: headers.location }, { status: 302, location: `http://127.0.0.1:${port}/inside` });
  t.strictSame(reached, [], 'a redirect is the client’s to follow, from where the client is');

  const api = await fleet.cluster.api();
  const spec = { admission: 'Allowed', address: `127.0.0.1:${port}`, services: [{ name: 'hello', url }] };
  await api.json('PATCH', edgeNodePath('edge-1'), { spec });
  t.notMatch(JSON.stringify((await fleet.cluster.node('edge-1')).spec), /address|services/, 'an edge has no address');
});
