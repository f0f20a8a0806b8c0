import t from 'tap';
import { compareVersions, TypeRegistry } from '../../../resources/types/type-registry.ts';
import { simpleType } from './simple-type.ts';

t.test('a type is found by its resource and by its kind', async (t) => {
  const pods = simpleType('', 'v1', 'pods', 'Pod');
  const machines = simpleType('kubevirt.io', 'v1', 'virtualmachines', 'VirtualMachine');
  const registry = new TypeRegistry([pods, machines]);
  t.equal(registry.get('', 'v1', 'pods'), pods);
  t.equal(registry.getByKind('v1', 'Pod'), pods);
  t.equal(registry.get('kubevirt.io', 'v1', 'virtualmachines'), machines);
  t.equal(registry.getByKind('kubevirt.io/v1', 'VirtualMachine'), machines);
  t.equal(registry.get('kubevirt.io', 'v2', 'virtualmachines'), undefined);
  t.equal(registry.getByKind('v1', 'VirtualMachine'), undefined);
});

t.test('groups are listed with the core group first and the preferred version first', async (t) => {
  const registry = new TypeRegistry([
    simpleType('b.example', 'v1beta1', 'bs', 'B'),
    simpleType('b.example', 'v1', 'bs', 'B'),
    simpleType('a.example', 'v1', 'as', 'A'),
    simpleType('', 'v1', 'pods', 'Pod'),
  ]);
  t.same(registry.groups(), [
    { name: '', versions: ['v1'] },
    { name: 'a.example', versions: ['v1'] },
    { name: 'b.example', versions: ['v1', 'v1beta1'] },
  ]);
});

t.test('versions are ordered as Kubernetes prefers them', async (t) => {
  const preferred = ['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2', 'foo1', 'foo10'];
  t.same([...preferred].reverse().sort(compareVersions), preferred);
});

t.test('a change at run time is seen by its generation and by listeners', async (t) => {
  const registry = new TypeRegistry([simpleType('', 'v1', 'pods', 'Pod')]);
  let calls = 0;
  const stop = registry.onChange(() => (calls += 1));
  const before = registry.generation;
  registry.add(
    simpleType('example.com', 'v1', 'widgets', 'Widget'),
    simpleType('example.com', 'v2', 'widgets', 'Widget'),
  );
  t.ok(registry.generation > before);
  t.equal(calls, 1);
  t.equal(registry.remove('example.com', 'widgets'), true);
  t.same(registry.types('example.com'), [], 'gone in all versions');
  t.equal(calls, 2);
  t.equal(registry.remove('example.com', 'widgets'), false);
  stop();
  registry.add(simpleType('example.com', 'v1', 'widgets', 'Widget'));
  t.equal(calls, 2, 'nothing after the end');
});

t.test('a type that takes the kind or the resource of another replaces it', async (t) => {
  const registry = new TypeRegistry([simpleType('example.com', 'v1', 'old', 'Widget')]);
  registry.add(simpleType('example.com', 'v1', 'widgets', 'Widget'));
  t.equal(registry.get('example.com', 'v1', 'old'), undefined);
  t.match(registry.getByKind('example.com/v1', 'Widget'), { resource: 'widgets' });
  registry.add(simpleType('example.com', 'v1', 'widgets', 'Gadget'));
  t.equal(registry.getByKind('example.com/v1', 'Widget'), undefined);
});
