import { z } from '../../base/index.ts';
import type { EdgeSelection } from './edge-selection.ts';

export const roles = ['admin', 'operator', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** What a rule allows at edges; what is missing is not limited. */
export interface EdgeGrant {
  readonly at: 'edges';
  /** As decisions name it, `shop-team#2`: the place in `spec.rules`, from 0. */
  readonly rule: string;
  readonly edges: EdgeSelection;
  /** Names, or `*` for all. */
  readonly services: readonly string[];
  /** `host:port`, or a beginning with `*`: what a connection may reach that is no service. */
  readonly addresses: readonly string[];
  readonly verbs: readonly string[];
  readonly paths: readonly string[] | undefined;
  readonly resources: readonly string[] | undefined;
  readonly namespaces: readonly string[] | undefined;
}

/** What a rule allows with the fleet's own resources: `edgenodes`, `edgenodes/status`, a path (`/metrics`), or `*`. */
export interface FleetGrant {
  readonly at: 'fleet';
  readonly rule: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export interface RoleGrant {
  readonly at: 'role';
  readonly rule: string;
  readonly role: Role;
  /** Undefined: everywhere, the fleet's own resources included. */
  readonly edges: EdgeSelection | undefined;
}

export type Grant = EdgeGrant | FleetGrant | RoleGrant;

/** An AccessPolicy as decisions read it. */
export interface Policy {
  readonly name: string;
  readonly principals: readonly string[];
  readonly grants: readonly Grant[];
}

const texts = z.array(z.string());
const selection = z.union([
  z.strictObject({ names: texts }),
  z.strictObject({
    selector: z.strictObject({
      matchLabels: z.record(z.string(), z.string()).default({}),
      matchExpressions: z
        .array(
          z.strictObject({
            key: z.string(),
            operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
            values: texts.default([]),
          }),
        )
        .default([]),
    }),
  }),
]);
const edgeRule = z.strictObject({
  edges: selection,
  verbs: texts,
  services: texts.default([]),
  addresses: texts.default([]),
  paths: texts.optional(),
  resources: texts.optional(),
  namespaces: texts.optional(),
});
const fleetRule = z.strictObject({ fleet: texts, verbs: texts });
const schema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.union([
    z.strictObject({ principals: texts, rules: z.array(z.union([edgeRule, fleetRule])) }),
    z.strictObject({ principals: texts, role: z.enum(roles), edges: selection.optional() }),
  ]),
});

/**
 * Reads an AccessPolicy. A member that is not known may be a limit of a later version, so that such an object as a whole
 * throws and grants nothing, and is not read as if it had no such limit.
 */
export function parsePolicy(object: unknown): Policy {
  const { metadata, spec } = schema.parse(object);
  const { name } = metadata;
  const { principals } = spec;
  if ('role' in spec) return { name, principals, grants: [roleGrant(spec.role, selectionOf(spec.edges))] };
  const grants = spec.rules.map((given, index): Grant => {
    const rule = `${name}#${index}`;
    if ('fleet' in given) return { at: 'fleet', rule, resources: given.fleet, verbs: given.verbs };
    const { services, addresses, verbs, paths, resources, namespaces } = given;
    const edges = selectionOf(given.edges);
    return { at: 'edges', rule, edges, services, addresses, verbs, paths, resources, namespaces };
  });
  return { name, principals, grants };
}

/** The policy that stands in a replica's configuration: who is `admin` whatever the objects say. */
export function adminPolicy(principals: readonly string[]): Policy {
  return { name: '', principals, grants: [roleGrant('admin', undefined)] };
}

function roleGrant(role: Role, edges: EdgeSelection | undefined): RoleGrant {
  return { at: 'role', rule: `role ${role}`, role, edges };
}

function selectionOf(given: z.output<typeof selection>): EdgeSelection;
function selectionOf(given: z.output<typeof selection> | undefined): EdgeSelection | undefined;
function selectionOf(given: z.output<typeof selection> | undefined): EdgeSelection | undefined {
  if (given === undefined || 'names' in given) return given;
  return { labels: given.selector.matchLabels, expressions: given.selector.matchExpressions };
}
