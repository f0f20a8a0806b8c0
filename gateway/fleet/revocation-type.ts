import type { ResourceHooks, ResourceType } from '../../resources/index.ts';
import { age, dnsLabel, exactlyOne, fleetType, memberOf, text } from './fleet-type.ts';

/** What a revocation may be of, as members of its `spec`. */
const targets = ['edge', 'principal', 'keyPin', 'serial'] as const;

/** An identity, a key or a certificate that nobody accepts any more. */
export const revocationType: ResourceType = fleetType({
  kind: 'Revocation',
  resource: 'revocations',
  shortNames: ['rv'],
  schema: {
    type: 'object',
    description:
      'An identity, a key or a certificate that nobody accepts any more. What it holds open is cut at once; deleting the object lifts it.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        description: 'What is revoked: exactly one of `edge`, `principal`, `keyPin` and `serial`.',
        properties: {
          edge: dnsLabel('An edge by its id, whichever key it shows: the same as `principal: edge/ID`.'),
          principal: {
            type: 'string',
            maxLength: 135,
            pattern:
              '^((edge|component|operator)/[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?|replica/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)$',
            description:
              'An identity, whichever key it shows: `operator/alice`, `component/inventory`, `edge/edge-1`, `replica/site-a/r0`.',
          },
          keyPin: {
            type: 'string',
            pattern: '^sha256/[A-Za-z0-9_-]{43}$',
            description:
              'A key, whichever name its certificates have: `sha256/` and the base64url of the hash of the public key.',
          },
          serial: {
            type: 'string',
            pattern: '^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){0,19}$',
            description: 'One certificate by its serial number, in hex.',
          },
          reason: text('Why, for people. The one who is refused does not see it.', 1024),
        },
      },
    },
  },
  columns: [
    { name: 'Revoked', type: 'string', priority: 0, value: (revocation) => revokedBy(revocation) },
    { name: 'Reason', type: 'string', priority: 0, value: '.spec.reason' },
    age,
  ],
});

/** It is of one thing, and stays of it: another one is another object. */
export const revocationHooks: ResourceHooks = {
  validate: ({ spec }) => exactlyOne(spec, 'spec', targets),
};

function revokedBy({ spec }: Readonly<Record<string, unknown>>): string {
  const named = targets.find((target) => memberOf(spec, target) !== undefined);
  if (named === undefined) return '';
  const value = String(memberOf(spec, named));
  return named === 'edge' ? `edge/${value}` : named === 'serial' ? `serial ${value}` : value;
}
