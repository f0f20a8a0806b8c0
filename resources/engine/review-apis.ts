import { ResourceApi } from './resource-api.ts';
import { WatchCache } from '../collection/watch-cache.ts';
import type { ObjectSchema, ResourceType } from '../types/resource-type.ts';
import { builtInType } from '../types/kinds/built-in-type.ts';

const text: ObjectSchema = { type: 'string' };
const texts: ObjectSchema = { type: 'array', items: text };
const members = (properties: Readonly<Record<string, ObjectSchema>>): ObjectSchema => ({ type: 'object', properties });

const resourceAttributes = members({
  namespace: text,
  verb: text,
  group: text,
  version: text,
  resource: text,
  subresource: text,
  name: text,
});
const nonResourceAttributes = members({ path: text, verb: text });
const decided = members({
  allowed: { type: 'boolean' },
  denied: { type: 'boolean' },
  reason: text,
  evaluationError: text,
});

/** Kubernetes' questions about who may do what. They are answered, and kept nowhere: whoever serves them takes their POST himself. */
const reviewTypes: readonly ResourceType[] = [
  reviewType('authorization.k8s.io', 'SelfSubjectAccessReview', 'Whether the caller may do something.', {
    spec: members({ resourceAttributes, nonResourceAttributes }),
    status: decided,
  }),
  reviewType('authorization.k8s.io', 'SubjectAccessReview', 'Whether somebody may do something.', {
    spec: members({ resourceAttributes, nonResourceAttributes, user: text, groups: texts, uid: text }),
    status: decided,
  }),
  reviewType('authorization.k8s.io', 'SelfSubjectRulesReview', 'What the caller may do.', {
    spec: members({ namespace: text }),
    status: members({
      resourceRules: { type: 'array', items: members({ verbs: texts, apiGroups: texts, resources: texts }) },
      nonResourceRules: { type: 'array', items: members({ verbs: texts, nonResourceURLs: texts }) },
      incomplete: { type: 'boolean' },
      evaluationError: text,
    }),
  }),
  reviewType('authentication.k8s.io', 'SelfSubjectReview', 'Who the caller is.', {
    status: members({ userInfo: members({ username: text, groups: texts }) }),
  }),
];

/** For discovery, and for the refusal of all but POST. */
export function reviewApis(): readonly ResourceApi[] {
  return reviewTypes.map((type) => new ResourceApi({ collection: new WatchCache(type, { version: 1 }) }));
}

function reviewType(
  group: string,
  kind: string,
  description: string,
  fields: Readonly<Record<string, ObjectSchema>>,
): ResourceType {
  const resource = `${kind.toLowerCase()}s`;
  return builtInType({
    group,
    version: 'v1',
    resource,
    kind,
    namespaced: false,
    verbs: ['create'],
    description,
    fields,
  });
}
