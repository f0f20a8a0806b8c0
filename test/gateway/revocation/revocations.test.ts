import t, { type Test } from 'tap';
import { maxRevokedReplicas, revokedReplicasIn } from '../../../api/index.ts';
import { systemClock } from '../../../base/index.ts';
import { identityOf } from '../../../certs/index.ts';
import { revocationHooks, revocationType } from '../../../gateway/fleet/revocation-type.ts';
import { Revocations } from '../../../gateway/revocation/index.ts';
import {
  fullAccess,
  heldObject,
  ResourceApi,
  StoreFeed,
  WatchCache,
  type KubeObject,
} from '../../../resources/index.ts';
import { openEmbeddedStore } from '../../../store/index.ts';
import { waitFor } from '../../support/wait-for.ts';

const PIN = `sha256/${'a'.repeat(43)}`;
const OTHER_PIN = `sha256/${'b'.repeat(43)}`;
const facts = { keyPin: OTHER_PIN, serial: '0A1B2C' };

function identity(name: string) {
  return identityOf('fleet.test', name);
}

/** A collection in memory, as the store's looks to who follows it. */
class Objects {
  readonly cache = new WatchCache(revocationType, { clock: systemClock, version: 1, maxEvents: 8 });
  #version = 1;

  put(name: string, spec: object): void {
    this.cache.put(heldObject(this.#object(name, spec), revocationType));
  }

  remove(name: string): void {
    this.cache.remove('', name, ++this.#version);
  }

  #object(name: string, spec: object): KubeObject {
    const metadata = { name, uid: name, resourceVersion: String(++this.#version) };
    return { apiVersion: 'causeway.io/v1', kind: 'Revocation', metadata, spec };
  }
}

async function start(t: Test) {
  const objects = new Objects();
  const faults: unknown[] = [];
  const revocations = await Revocations.open({ collection: objects.cache, onFault: (error) => faults.push(error) });
  const told: (readonly string[])[] = [];
  revocations.onChange((edges) => told.push(edges));
  t.teardown(() => {
    revocations.close();
    objects.cache.close();
  });
  return { objects, revocations, told, faults };
}

t.test('a name, a key and a certificate are refused, each for itself', async (t) => {
  const { objects, revocations, told } = await start(t);
  const alice = identity('operator/alice');
  t.equal(revocations.refusal(alice, facts), undefined);
  objects.put('a', { principal: 'operator/alice', reason: 'a secret reason' });
  await waitFor('the change', () => told.length === 1);
  t.match(revocations.refusal(alice), { code: 'revoked', status: 403, retryable: false, retryAfterMs: 60_000 });
  t.notMatch(revocations.refusal(alice)?.message, /secret/u);
  t.equal(revocations.refusal(identity('operator/bob'), facts), undefined);
  t.equal(revocations.refusal(identity('component/alice'), facts), undefined, 'of one kind only');

  objects.put('k', { keyPin: PIN });
  objects.put('s', { serial: '0a:1b:2c' });
  await waitFor('the changes', () => revocations.keyRefusal(PIN));
  t.match(revocations.refusal(identity('edge/edge-9'), { keyPin: PIN, serial: '01' }), { code: 'revoked' });
  t.match(revocations.refusal(identity('edge/edge-9'), facts), { code: 'revoked' }, 'by its serial number');
  t.match(revocations.refusal(identity('edge/edge-9'), { ...facts, serial: 'A1B2C' }), { code: 'revoked' });
  t.equal(revocations.refusal(identity('edge/edge-9'), { ...facts, serial: 'A1B2D' }), undefined);
  t.equal(revocations.keyRefusal(OTHER_PIN), undefined);
});

t.test('an edge is denied by either way to name it, until the last object that does is gone', async (t) => {
  const { objects, revocations, told } = await start(t);
  objects.put('one', { edge: 'edge-1' });
  objects.put('two', { principal: 'edge/edge-1' });
  await waitFor('the change', () => revocations.denies('edge-1'));
  t.strictSame([...new Set(told.flat())], ['edge-1'], 'the directory is told which edge it is');
  objects.remove('one');
  await waitFor('its end', () => told.length >= 2);
  t.ok(revocations.denies('edge-1'));
  t.match(revocations.nameRefusal('edge/edge-1'), { code: 'revoked' });
  objects.put('two', { edge: 'edge-2' });
  await waitFor('the other edge', () => revocations.denies('edge-2'));
  t.notOk(revocations.denies('edge-1'));
  t.strictSame(told.at(-1), ['edge-1', 'edge-2']);
});

t.test('who falls behind reads everything anew, and misses neither what came nor what went', async (t) => {
  const { objects, revocations, told } = await start(t);
  objects.put('gone', { edge: 'edge-0' });
  await waitFor('the first', () => revocations.denies('edge-0'));
  const before = told.length;
  // More than the history keeps, before anybody reads.
  objects.remove('gone');
  for (let edge = 1; edge <= 50; edge++) objects.put(`r${edge}`, { edge: `edge-${edge}` });
  await waitFor('all of them', () => revocations.denies('edge-50') && !revocations.denies('edge-0'));
  t.ok(revocations.denies('edge-1'));
  t.ok(told.length - before < 20, `told ${told.length - before} times: many changes are one`);
});

t.test('an object that nobody understands is told of, and takes nothing back', async (t) => {
  const { objects, revocations, faults } = await start(t);
  objects.put('a', { edge: 'edge-1' });
  await waitFor('the change', () => revocations.denies('edge-1'));
  objects.put('a', { something: 'of a later version' });
  await waitFor('the fault', () => faults.length === 1);
  t.ok(revocations.denies('edge-1'));
  t.equal(revocations.unreadable, 1, 'it is to be seen');
  objects.put('a', { edge: 'edge-2' });
  await waitFor('what can be read again', () => revocations.denies('edge-2'));
  t.notOk(revocations.denies('edge-1'));
  t.equal(revocations.unreadable, 0);
});

t.test(
  'those who dial replicas are told of them, their keys and their certificates, and not of banned edges',
  async (t) => {
    const { objects, revocations, told } = await start(t);
    t.strictSame(revocations.ofReplicas, []);
    objects.put('banned-edge-1', { edge: 'edge-1' });
    objects.put('banned-edge-1-aaa', { keyPin: OTHER_PIN });
    objects.put('alice', { principal: 'operator/alice' });
    objects.put('s', { serial: '0A:1B' });
    objects.put('k', { keyPin: PIN });
    objects.put('r', { principal: 'replica/site-a/r0' });
    await waitFor('all of them', () => revocations.nameRefusal('replica/site-a/r0'));
    t.strictSame(revocations.ofReplicas, ['principal replica/site-a/r0', 'serial a1b', `key ${PIN}`]);
    t.strictSame(revokedReplicasIn(revocations.ofReplicas), revocations.ofReplicas, 'as they read it');
    const before = told.length;
    for (let number = 0; number < 300; number++) objects.put(`k${number}`, { serial: `0${number}`.slice(-4) });
    await waitFor('many', () => told.length > before && revocations.ofReplicas.length === maxRevokedReplicas);
    t.equal(revocations.ofReplicas[0], 'principal replica/site-a/r0', 'names go first');
  },
);

t.test('a Revocation names exactly one thing, in its own spelling', async (t) => {
  const store = openEmbeddedStore();
  const feed = new StoreFeed({ store, prefix: '/test', clock: systemClock, onFault: (error) => t.fail(String(error)) });
  await feed.start();
  t.teardown(async () => {
    feed.close();
    await store.close();
  });
  const ref = { apiVersion: 'causeway.io/v1', kind: 'Revocation', metadata: { name: 'a' } };
  const api = new ResourceApi({ collection: await feed.collection(revocationType), hooks: revocationHooks });
  const create = (spec: object) => api.create(fullAccess('operator/tester'), '', { ...ref, spec });
  for (const spec of [
    {},
    { edge: 'a', serial: '01' },
    { edge: 'a', principal: 'edge/a', keyPin: PIN },
    { edge: 'Not A Label' },
    { principal: 'alice' },
    { principal: 'replica/a' },
    { principal: 'replica/a/b/c' },
    { principal: 'operator/a/b' },
    { principal: 'operator/*' },
    { keyPin: 'sha256/short' },
    { serial: 'xyz' },
    { serial: '1' },
    { serial: '01'.repeat(21) },
  ])
    await t.rejects(create(spec), { code: 'object-invalid' });
  await t.resolves(create({ edge: 'edge-1', reason: 'why' }));
  const replica = { ...ref, metadata: { name: 'r' }, spec: { principal: 'replica/site-a/r0' } };
  await t.resolves(api.create(fullAccess('operator/tester'), '', replica));
});
