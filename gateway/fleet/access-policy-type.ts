import type { ErrorCause } from '../../base/index.ts';
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
      description: 'Labels of the edges’ `spec.labels`; all have to match, and there is at least one.',
      properties: {
        matchLabels: labels('Labels with these values.'),
        matchExpressions: { type: 'array', maxItems: 64, items: expression, description: 'Comparisons of labels.' },
      },
    },
  },
};

const ruleSchema = {
  type: 'object',
  description:
    'What is allowed, at edges (`edges`) or with the fleet’s own resources (`fleet`). What no rule allows is denied.',
  required: ['verbs'],
  properties: {
    edges,
    fleet: textList(
      'The fleet’s own resources: `edgenodes`, `edgenodes/status`, a path such as `/metrics`, or `*` for all.',
      '^(\\*|[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/([a-z]+|\\*))?|/[\\x21-\\x7e]*)$',
    ),
    services: textList('Services of the edge: a name, or `*` for all.', '^([a-z0-9]([a-z0-9-]*[a-z0-9])?|\\*)$'),
    addresses: textList(
      'Addresses at the edge, for verb `connect`: `HOST:PORT`, a beginning with `*`, or `*` for all. Default none.',
      '^[a-z0-9.:\\[\\]-]*\\*?$',
    ),
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
      'For `kube`: `pods`, `pods/log`, `pods/*`, `virtualmachines.kubevirt.io`, `*.apps`, or `*`. Default all.',
      '^(\\*|(\\*\\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/([a-z]+|\\*))?)$',
    ),
    namespaces: textList('For `kube`: in which namespaces. Default all.', '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'),
  },
};

/** Who may do what at which edges, and with the fleet's own resources. */
export const accessPolicyType: ResourceType = fleetType({
  kind: 'AccessPolicy',
  resource: 'accesspolicies',
  shortNames: ['ap'],
  schema: {
    type: 'object',
    description: 'Who may do what, at which edges and with the fleet’s own resources.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        description: 'Callers, and what they may do: exactly one of `rules` and `role`.',
        required: ['principals'],
        properties: {
          principals: textList(
            'Authenticated callers: `operator/alice`, or a beginning with `*`: `component/*`.',
            '^(operator|component)/([A-Za-z0-9][A-Za-z0-9._-]*)?\\*?$',
          ),
          rules: { type: 'array', minItems: 1, maxItems: 256, items: ruleSchema, description: 'What they may do.' },
          role: {
            type: 'string',
            enum: ['admin', 'operator', 'viewer'],
            description:
              '`admin`: everything. `operator`: everything at edges, and edges and join tokens. `viewer`: reads all but Secrets.',
          },
          edges: {
            ...edges,
            description: 'With `role`: at these edges only, and of the fleet’s own resources their `EdgeNode`.',
          },
        },
      },
    },
  },
  columns: [
    { name: 'Principals', type: 'string', priority: 0, value: ({ spec }) => listOf(spec, 'principals').join(',') },
    { name: 'Allows', type: 'string', priority: 0, value: (policy) => allowedBy(policy) },
    age,
  ],
});

/** What a schema cannot say: which members go together, and that a limit with a typing error in its name is not to be none. */
export const accessPolicyHooks: ResourceHooks = {
  isStrict: true,
  validate: ({ spec }) => [
    ...exactlyOne(spec, 'spec', ['rules', 'role']),
    ...(memberOf(spec, 'role') === undefined
      ? forbiddenWith(spec, 'spec', ['edges'], 'goes with role; a rule has edges of its own')
      : edgesProblems(memberOf(spec, 'edges'), 'spec.edges')),
    ...listOf(spec, 'rules').flatMap((rule, index) => ruleProblems(rule, `spec.rules[${index}]`)),
  ],
};

function ruleProblems(rule: unknown, field: string): readonly ErrorCause[] {
  const problems = [...exactlyOne(rule, field, ['edges', 'fleet'])];
  if (memberOf(rule, 'fleet') !== undefined) {
    const members = ['services', 'addresses', 'paths', 'resources', 'namespaces'];
    return [...problems, ...forbiddenWith(rule, field, members, 'is about edges, and the rule is about the fleet')];
  }
  const hasTarget = memberOf(rule, 'services') !== undefined || memberOf(rule, 'addresses') !== undefined;
  if (!hasTarget) problems.push(required(`${field}.services`, 'which services; or addresses'));
  return [...problems, ...edgesProblems(memberOf(rule, 'edges'), `${field}.edges`)];
}

function edgesProblems(chosen: unknown, field: string): readonly ErrorCause[] {
  if (chosen === undefined) return [];
  const problems = [...exactlyOne(chosen, field, ['names', 'selector'])];
  const selector = memberOf(chosen, 'selector');
  if (selector === undefined) return problems;
  const expressions = listOf(selector, 'matchExpressions');
  const matched = memberOf(selector, 'matchLabels') ?? {};
  if (typeof matched !== 'object' || Object.keys(matched).length + expressions.length === 0)
    problems.push(required(`${field}.selector.matchLabels`, 'at least one label; for all edges take names: ["*"]'));
  return [
    ...problems,
    ...expressions.flatMap((each, index) => expressionProblems(each, `${field}.selector.matchExpressions[${index}]`)),
  ];
}

function expressionProblems(given: unknown, field: string): readonly ErrorCause[] {
  const operator = memberOf(given, 'operator');
  const count = listOf(given, 'values').length;
  const takesValues = operator === 'In' || operator === 'NotIn';
  if (takesValues && count === 0) return [required(`${field}.values`, `${operator} compares with values`)];
  if (takesValues || count === 0) return [];
  return [{ field: `${field}.values`, reason: 'FieldValueForbidden', message: 'Forbidden: only with In and NotIn' }];
}

function forbiddenWith(object: unknown, field: string, members: readonly string[], why: string): readonly ErrorCause[] {
  return members
    .filter((member) => memberOf(object, member) !== undefined)
    .map((member) => ({
      field: `${field}.${member}`,
      reason: 'FieldValueForbidden',
      message: `Forbidden: ${member} ${why}`,
    }));
}

function required(field: string, what: string): ErrorCause {
  return { field, reason: 'FieldValueRequired', message: `Required value: ${what}` };
}

function allowedBy({ spec }: Readonly<Record<string, unknown>>): string {
  const role = memberOf(spec, 'role');
  const count = listOf(spec, 'rules').length;
  return typeof role === 'string' ? `role ${role}` : `${count} ${count === 1 ? 'rule' : 'rules'}`;
}

function listOf(object: unknown, member: string): readonly unknown[] {
  const list = memberOf(object, member);
  return Array.isArray(list) ? list : [];
}
