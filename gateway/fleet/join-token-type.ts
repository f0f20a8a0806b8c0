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
      'Leave to enrol, for one edge or for new edges that get certain labels. `causeway token create` makes one and shows its secret, once; one that is made in another way has no secret, and lets nobody in.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        description: 'Whom it lets in, how often, and how long.',
        properties: {
          edge: dnsLabel('The one edge that may enrol with it.'),
          edgeLabels: {
            ...labels('New edges may enrol with it, under names of their own; they get these labels.'),
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
    {
      name: 'State',
      type: 'string',
      priority: 0,
      value: (token, nowMs) => stateOf(token, nowMs),
      description: 'Whether it still lets somebody in',
    },
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

/** Until when a token is good, milliseconds since 1970; undefined for an object that does not say. */
export function tokenExpiry(token: unknown): number | undefined {
  const spec = memberOf(token, 'spec');
  const moment = memberOf(spec, 'expiresAt');
  if (typeof moment === 'string') return timeOf(moment);
  const born = memberOf(memberOf(token, 'metadata'), 'creationTimestamp');
  const ttlSeconds = memberOf(spec, 'ttlSeconds') ?? DEFAULT_TTL_SECONDS;
  if (typeof born !== 'string' || typeof ttlSeconds !== 'number') return undefined;
  return timeOf(born, ttlSeconds * 1000);
}

function timeOf(text: string, laterMs = 0): number | undefined {
  const ms = Date.parse(text) + laterMs;
  return Number.isNaN(ms) ? undefined : ms;
}

function expiryOf(token: Readonly<Record<string, unknown>>): string {
  const ms = tokenExpiry(token);
  return ms === undefined ? '' : new Date(ms).toISOString().replace(/\.\d+Z$/u, 'Z');
}

function stateOf(token: Readonly<Record<string, unknown>>, nowMs: number): string {
  const used = memberOf(token['status'], 'used') ?? 0;
  const uses = memberOf(token['spec'], 'uses') ?? 1;
  if (typeof used === 'number' && typeof uses === 'number' && used >= uses) return 'Used';
  return (tokenExpiry(token) ?? 0) <= nowMs ? 'Expired' : 'Ready';
}
