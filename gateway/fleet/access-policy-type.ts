import type { ResourceHooks, ResourceType } from '../../resources/index.ts';
import { age, exactlyOne, fleetType, memberOf, labels, text, textList } from './fleet-type.ts';

const verbs = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
  'connect',
  '*',
] as const;

const expression = {
  type: 'object',
  required: ['key', 'operator'],
  properties: {
    key: text('Label.', 316),
    operator: { type: 'string', enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'], description: 'How it is compared.' },
    values: { type: 'array', maxItems: 64, items: text('A value.', 63), description: 'For `In` and `NotIn`.' },
  },
};

const edges = {
  type: 'object',
  description: 'At which edges: named ones, or those whose labels match. Exactly one of both.',
  properties: {
    names: textList('Edges: a name, a beginning with `*`, or `*` for all.', '^([a-z0-9][a-z0-9-]*)?\\*?$'),
    selector: {
      type: 'object',
      description: 'Labels of the edges’ `spec.labels`; all have to match.',
      properties: {
        matchLabels: labels('Labels with these values.'),
        matchExpressions: { type: 'array', maxItems: 64, items: expression, description: 'Comparisons of labels.' },
      },
    },
  },
};

const ruleSchema = {
  type: 'object',
  description: 'What is allowed; what no rule allows is denied.',
  required: ['edges', 'services', 'verbs'],
  properties: {
    edges,
    services: textList('Services of the edge: a name, or `*` for all.', '^([a-z0-9]([a-z0-9-]*[a-z0-9])?|\\*)$'),
    verbs: {
      'type': 'array',
      'minItems': 1,
      'maxItems': verbs.length,
      'x-kubernetes-list-type': 'set',
      'items': { type: 'string', enum: verbs },
      'description': 'What may be done: Kubernetes’ verbs, `connect` for TCP, or `*`.',
    },
    paths: textList('For HTTP services: a path, or a beginning with `*`. Default all.', '^/[\\x21-\\x7e]*$'),
    resources: textList(
      'For `kube`: `pods`, `pods/log`, `virtualmachines.kubevirt.io`, or `*`. Default all.',
      '^(\\*|[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[a-z]+)?)$',
    ),
    namespaces: textList('For `kube`: in which namespaces. Default all.', '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'),
  },
};

/** Who may do what at which edges. */
export const accessPolicyType: ResourceType = fleetType({
  kind: 'AccessPolicy',
  resource: 'accesspolicies',
  shortNames: ['ap'],
  schema: {
    type: 'object',
    description: 'Who may do what at which edges. Kept and checked, and not enforced yet.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        description: 'Callers, and what they may do.',
        required: ['principals', 'rules'],
        properties: {
          principals: textList(
            'Authenticated callers: `operator/alice`, or a beginning with `*`: `component/*`.',
            '^(operator|component)/([A-Za-z0-9][A-Za-z0-9._-]*)?\\*?$',
          ),
          rules: { type: 'array', minItems: 1, maxItems: 256, items: ruleSchema, description: 'What they may do.' },
        },
      },
    },
  },
  columns: [{ name: 'Principals', type: 'string', priority: 0, value: (policy) => principalsOf(policy) }, age],
});

/** Edges are named or selected. */
export const accessPolicyHooks: ResourceHooks = {
  validate: ({ spec }) => {
    const rules = memberOf(spec, 'rules');
    if (!Array.isArray(rules)) return [];
    return rules.flatMap((rule: unknown, index) => {
      const chosen = memberOf(rule, 'edges');
      return chosen === undefined ? [] : exactlyOne(chosen, `spec.rules[${index}].edges`, ['names', 'selector']);
    });
  },
};

function principalsOf({ spec }: Readonly<Record<string, unknown>>): string {
  const principals = memberOf(spec, 'principals');
  return Array.isArray(principals) ? principals.join(',') : '';
}
