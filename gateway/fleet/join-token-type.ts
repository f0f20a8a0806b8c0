import type { ResourceHooks, ResourceType } from '../../resources/index.ts';
import { age, dnsLabel, exactlyOne, fleetType, labels, memberOf, time } from './fleet-type.ts';

const MAX_TTL_SECONDS = 30 * 24 * 3600;

/** Leave for edges to enrol, without the secret: that is shown once and kept nowhere. */
export const joinTokenType: ResourceType = fleetType({
  kind: 'JoinToken',
  resource: 'jointokens',
  shortNames: ['jt'],
  hasStatus: true,
  schema: {
    type: 'object',
    description:
      'Leave to enrol, for one edge or for edges that get certain labels. Kept and checked, and not in use yet.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        description: 'Whom it lets in, how often, and how long.',
        properties: {
          edge: dnsLabel('The one edge that may enrol with it.'),
          edgeLabels: {
            ...labels('Any edge may enrol with it, and gets these labels.'),
            minProperties: 1,
          },
          uses: {
            type: 'integer',
            minimum: 1,
            maximum: 10_000,
            default: 1,
            description: 'How many enrolments it is good for.',
          },
          ttlSeconds: {
            type: 'integer',
            minimum: 60,
            maximum: MAX_TTL_SECONDS,
            description: 'How long it is good for, from its creation. Default an hour.',
          },
          expiresAt: time('Until when it is good, in place of `ttlSeconds`.'),
        },
      },
      status: {
        type: 'object',
        description: 'What became of it; replicas write it.',
        properties: {
          used: { type: 'integer', minimum: 0, description: 'Enrolments so far.' },
          expiresAt: time('Until when it is good.'),
          lastUsed: time('When it was last used.'),
        },
      },
    },
  },
  columns: [
    { name: 'Edge', type: 'string', priority: 0, value: '.spec.edge', description: 'Empty: any that gets its labels' },
    { name: 'Uses', type: 'integer', priority: 0, value: '.spec.uses', description: 'Enrolments it is good for' },
    { name: 'Used', type: 'integer', priority: 0, value: '.status.used', description: 'Enrolments so far' },
    {
      name: 'Expires',
      type: 'string',
      priority: 0,
      value: (token) => expiryOf(token),
      description: 'Until when it is good',
    },
    age,
  ],
});

const DEFAULT_TTL_SECONDS = 3600;

/** For one edge or for labelled ones; a lifetime or a moment. */
export const joinTokenHooks: ResourceHooks = {
  validate: ({ spec }) => [
    ...exactlyOne(spec, 'spec', ['edge', 'edgeLabels']),
    ...(memberOf(spec, 'ttlSeconds') === undefined ? [] : exactlyOne(spec, 'spec', ['ttlSeconds', 'expiresAt'])),
  ],
};

function expiryOf({ metadata, spec }: Readonly<Record<string, unknown>>): string {
  const moment = memberOf(spec, 'expiresAt');
  if (typeof moment === 'string') return moment;
  const born = memberOf(metadata, 'creationTimestamp');
  const ttlSeconds = memberOf(spec, 'ttlSeconds') ?? DEFAULT_TTL_SECONDS;
  if (typeof born !== 'string' || typeof ttlSeconds !== 'number') return '';
  return new Date(Date.parse(born) + ttlSeconds * 1000).toISOString().replace(/\.\d+Z$/u, 'Z');
}
