import t from 'tap';
import { routeOf } from '../../../gateway/front/index.ts';
import { decide, parsePolicy } from '../../../gateway/policy/index.ts';
import { grantsFor } from '../../../gateway/policy/decide.ts';
import { PrincipalAccess } from '../../../gateway/policy/principal-access.ts';
import { attributesOf, requireAccess } from '../../../gateway/stream-access.ts';
import type { StreamTarget } from '../../../tunnel/index.ts';
import { Random } from '../../simulation/random.ts';
import { edgeLabels, generatedAsking, generatedPolicies, plainPaths } from './generated.ts';
import { judge, type Asking, type Verdict, type WrittenPolicy } from './oracle.ts';

/** 100 sets of policies with 100 questions each; `POLICY_SETS` of them for a longer run. */
const SETS = Number(process.env['POLICY_SETS'] ?? 100);
const ASKED = 100;

/** What the front makes of a request; undefined when it refuses how it is written. */
function targetOf({ principal, edge, service, method, target }: Asking): StreamTarget | undefined {
  if (method === 'connect') return { edge, service, kind: 'tcp', verb: method, path: target, principal };
  try {
    // What does not begin with a slash cannot stand behind a service.
    const route = target.startsWith('/') ? routeOf(`/edges/${edge}/${service}${target}`) : undefined;
    return (
      route && { edge: route.edge, service: route.service, kind: 'http', verb: method, path: route.path, principal }
    );
  } catch {
    return undefined;
  }
}

function parsed(policies: readonly WrittenPolicy[]) {
  return policies.map(({ name, spec }) => parsePolicy({ metadata: { name }, spec }));
}

function sourceOf(policies: ReturnType<typeof parsed>) {
  return {
    version: 1,
    labelsVersion: 1,
    grantsFor: (principal: string) => grantsFor(policies, principal),
    labelsOf: (edge: string) => edgeLabels.get(edge),
    onChange: () => () => {},
  };
}

function verdictOf(access: PrincipalAccess, target: StreamTarget | undefined): Verdict {
  if (target === undefined) return 'bad';
  try {
    requireAccess(access, target);
    return 'allow';
  } catch {
    return 'deny';
  }
}

t.test('10,000 questions are decided as an oracle decides them', async (t) => {
  const counts: Record<Verdict, number> = { allow: 0, deny: 0, bad: 0 };
  const wrong: object[] = [];
  for (let set = 0; set < SETS; set++) {
    const random = new Random(set);
    const written = generatedPolicies(random);
    const policies = parsed(written);
    const source = sourceOf(policies);
    const accesses = new Map<string, PrincipalAccess>();
    for (let count = 0; count < ASKED; count++) {
      const asking = generatedAsking(random);
      const { principal } = asking;
      const access = accesses.get(principal) ?? new PrincipalAccess(principal, source);
      accesses.set(principal, access);
      const expected = judge(written, asking);
      counts[expected]++;
      const target = targetOf(asking);
      const found = verdictOf(access, target);
      // What was kept is what was decided.
      const again = verdictOf(access, target);
      const { allowed } =
        target === undefined
          ? { allowed: false }
          : decide(policies, principal, { ...attributesOf(target), labelsOf: source.labelsOf });
      if (found !== expected || again !== found || (found === 'allow' && !allowed))
        wrong.push({ set, asking, expected, found, again });
    }
  }
  t.strictSame(wrong.slice(0, 5), [], `${wrong.length} of ${SETS * ASKED}`);
  // Else it would prove little.
  t.ok(
    counts.allow > (SETS * ASKED) / 20 && counts.deny > (SETS * ASKED) / 20 && counts.bad > (SETS * ASKED) / 20,
    JSON.stringify(counts),
  );
  t.comment(JSON.stringify(counts));
});

t.test('what is kept of one question answers no other one', async (t) => {
  const wrong: object[] = [];
  for (let set = 0; set < 100; set++) {
    const random = new Random(1000 + set);
    const written = generatedPolicies(random, {
      principals: ['operator/al*'],
      edges: { names: ['*'] },
      services: ['*'],
    });
    const access = new PrincipalAccess('operator/alice', sourceOf(parsed(written)));
    const who = { principal: 'operator/alice', edge: 'edge-1', labels: edgeLabels.get('edge-1') };
    const all = plainPaths.flatMap((path) =>
      ['GET', 'POST', 'DELETE'].flatMap((method) =>
        ['', '?watch=1'].map((query): Asking => ({
          ...who,
          service: random.pick('kube', 'kube', 'hello'),
          method,
          target: path + query,
        })),
      ),
    );
    for (let asked = 0; asked < all.length; asked++) {
      const asking = random.anyOf(all);
      if (asking === undefined) continue;
      const expected = judge(written, asking);
      const found = verdictOf(access, targetOf(asking));
      if (found !== expected) wrong.push({ set, asking, expected, found });
    }
  }
  t.strictSame(wrong.slice(0, 5), [], `${wrong.length} wrong`);
});
