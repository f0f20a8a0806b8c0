import t from 'tap';
import { Random } from '../../simulation/random.ts';
import { edgeLabels, generatedAsking, generatedPolicies, principals } from './generated.ts';
import { judge, type Verdict } from './oracle.ts';
import { PolicedFleet, REACHED } from './policed-fleet.ts';

const QUESTIONS = 400;

t.test('what comes through the listener is decided as an oracle decides it, and arrives as it was sent', async (t) => {
  const fleet = await PolicedFleet.start(t, { edges: 2 });
  const random = new Random(41);
  for (const edge of ['edge-1', 'edge-2']) await fleet.setLabels(edge, edgeLabels.get(edge) ?? {});
  const policies = [...generatedPolicies(random), ...generatedPolicies(random)].map((policy, index) => ({
    ...policy,
    name: `p${index}`,
  }));
  for (const { name, spec } of policies) await fleet.setPolicy(name, spec);

  const counts: Record<Verdict, number> = { allow: 0, deny: 0, bad: 0 };
  const wrong: object[] = [];
  for (let count = 0; count < QUESTIONS;) {
    const drawn = generatedAsking(random);
    // The service of the generator without an origin is `kube`; edges are two of five, and nobody sends a path without its slash.
    const edge = random.pick('edge-1', 'edge-2', drawn.edge);
    const labels = edge === 'edge-1' || edge === 'edge-2' ? edgeLabels.get(edge) : undefined;
    const asking = {
      ...drawn,
      edge,
      labels,
      principal: random.pick('operator/alice', 'component/inventory', ...principals),
    };
    const { service, method, target } = asking;
    if (method === 'connect' || !target.startsWith('/')) continue;
    count++;
    const expected = judge(policies, asking);
    counts[expected]++;
    const before = fleet.reached.length;
    const { status } = await fleet.ask(asking.principal, `/edges/${edge}/${service}${target}`, { method });
    const found = status === 400 ? 'bad' : status === 403 ? 'deny' : 'allow';
    const came = fleet.reached.slice(before);
    const isThere = found === 'allow' && status === REACHED;
    if (found !== expected || came.length !== (isThere ? 1 : 0) || (isThere && came[0] !== target))
      wrong.push({ asking, expected, found, status, came });
  }
  t.strictSame(wrong.slice(0, 5), [], `${wrong.length} of ${QUESTIONS}`);
  t.ok(
    counts.allow > QUESTIONS / 20 && counts.deny > QUESTIONS / 20 && counts.bad > QUESTIONS / 20,
    JSON.stringify(counts),
  );
  t.ok(fleet.reached.length > 10, 'some came through');
});
