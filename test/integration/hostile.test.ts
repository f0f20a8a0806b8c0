import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'tap';
import { clientTls, type TlsCredentials } from '../../certs/index.ts';
import { defaultLimits, dialLink, encodeFrame, FrameDecoder, FrameType, type Frame } from '../../tunnel/index.ts';
import { Random } from '../simulation/random.ts';
import type { Cluster } from '../support/cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { randomFrame } from '../tunnel/random-frame.ts';
import { start } from './start.ts';

const FRAMES = 1000;
const MIB = 1024 * 1024;

test('hostile agents and clients lose their links with a reason, and calls to another edge go on', async (t) => {
  const { cluster } = await start(t, { edges: 2 });
  await cluster.allow('edge-evil');
  const peers: readonly [TlsCredentials, object][] = [
    [await cluster.certificates.credentials('edge/edge-evil'), { role: 'edge', instance: 'deadbeef', services: [] }],
    [await cluster.certificates.credentials('operator/mallory'), { role: 'client', instance: 'deadbeef' }],
  ];
  const random = new Random(7);
  let attacking = true;
  const beside = callBeside(cluster, () => attacking);
  const before = heldBytes();
  const reasons = new Map<string, number>();
  for (const [credentials, hello] of peers) {
    for (let sent = 0; sent < FRAMES;) {
      const attack = await attackOnce(cluster, credentials, { version: 1, ...hello }, random, FRAMES - sent);
      sent += attack.sent;
      reasons.set(attack.reason, (reasons.get(attack.reason) ?? 0) + 1);
    }
  }
  attacking = false;
  const { calls, failures } = await beside;
  t.strictSame(failures, []);
  t.ok(calls > 20, `${calls} calls beside`);
  const more = heldBytes() - before;
  t.ok(more < 64 * MIB, `${(more / MIB).toFixed(1)} MiB more are held`);
  t.notOk(reasons.has(''), 'each link that was lost was told why');
  t.ok(reasons.size >= 3, [...reasons.keys()].join(', '));
});

/** What is left when all garbage is gone; attackers and replica share this process. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** One link, and frames on it until it is lost or they are all sent. */
async function attackOnce(cluster: Cluster, credentials: TlsCredentials, hello: object, random: Random, most: number) {
  const wire = await dialLink(`127.0.0.1:${cluster.ports.link}`, clientTls(credentials));
  const decoder = new FrameDecoder(defaultLimits, wire.peerHeaderBytes);
  const link = { welcomed: false, closed: false, reason: '' };
  const onFrame = (frame: Frame): boolean => {
    if (frame.type === FrameType.WELCOME) link.welcomed = true;
    if (frame.type === FrameType.GOAWAY) link.reason = String(frame.body['code']);
    return true;
  };
  wire.user = {
    onMessage: (message) => decoder.decode(message, onFrame),
    onDrain() {},
    onText() {},
    onClose: () => {
      link.closed = true;
    },
  };
  const send = (bytes: Buffer): void => wire.send(Buffer.concat([Buffer.alloc(wire.headerBytes), bytes]));
  send(encodeFrame({ type: FrameType.HELLO, channel: 0, body: { ...hello } }, defaultLimits.maxFrameBytes));
  await waitFor('the welcome', () => link.welcomed || link.closed);
  let sent = 0;
  while (!link.closed && sent < most) {
    send(spoil(encodeFrame(randomFrame(random), defaultLimits.maxFrameBytes), random));
    sent++;
    await new Promise(setImmediate);
  }
  if (!link.closed) {
    // What is under way may still cost the link; a frame of no type surely does.
    send(Buffer.from('7f00000000000001', 'hex'));
    await waitFor('the link to be lost', () => link.closed);
  }
  return { sent: Math.max(1, sent), reason: link.reason };
}

/** Half of the frames are cut or changed. */
function spoil(bytes: Buffer, random: Random): Buffer {
  if (random.chance(0.5)) return bytes;
  if (random.chance(0.5)) return bytes.subarray(0, random.int(0, bytes.length - 1));
  const changed = Buffer.from(bytes);
  changed.writeUInt8(random.int(0, 255), random.int(0, changed.length - 1));
  return changed;
}

async function callBeside(cluster: Cluster, goOn: () => boolean): Promise<{ calls: number; failures: unknown[] }> {
  const failures: unknown[] = [];
  let calls = 0;
  while (goOn()) {
    const { status } = await cluster.ask('/edges/edge-2/web/beside');
    calls++;
    if (status !== 200) failures.push(status);
  }
  return { calls, failures };
}
