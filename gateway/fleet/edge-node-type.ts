import { edgeNodeProblems } from '../../api/index.ts';
import { ageOf, type ResourceHooks, type ResourceType } from '../../resources/index.ts';
import { age, dnsLabel, fleetType, labels, memberOf, text, time } from './fleet-type.ts';

const services = {
  type: 'array',
  maxItems: 256,
  items: {
    type: 'object',
    required: ['name', 'kind'],
    properties: { name: dnsLabel('Name of the service in URLs.'), kind: text('`http` or `tcp`.', 32) },
  },
  description: 'Services that the agent declares.',
};

const links = {
  type: 'array',
  maxItems: 64,
  description: 'Links that the edge keeps now, to whichever replica.',
  items: {
    type: 'object',
    required: ['id', 'replica', 'active', 'since'],
    properties: {
      id: text('Name of the link at its replica.', 128),
      replica: text('Replica that holds it, `site/name`.', 128),
      active: { type: 'boolean', description: 'Whether it carries the streams.' },
      since: time('When it was opened.'),
      rttMs: {
        type: 'number',
        minimum: 0,
        nullable: true,
        description: 'Round trip in milliseconds, refreshed every few minutes; null before it is known.',
      },
      remote: text('Address that the replica sees.', 128),
    },
  },
};

const conditions = {
  'type': 'array',
  'maxItems': 16,
  'description': '`Online`, `CacheSynced` and `KubeHealthy`: what replicas last saw of the edge.',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  'items': {
    type: 'object',
    required: ['type', 'status', 'reason', 'lastTransitionTime'],
    properties: {
      type: text('What the condition is about.', 64),
      status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether it holds.' },
      reason: text('Why, in one word.', 64),
      message: text('Why, for people.', 1024),
      lastTransitionTime: time('When `status` last changed.'),
    },
  },
};

/** An edge: who may register, and what replicas see of it. */
export const edgeNodeType: ResourceType = fleetType({
  kind: 'EdgeNode',
  resource: 'edgenodes',
  shortNames: ['en', 'edge', 'edges'],
  hasStatus: true,
  selectableFields: ['spec.admission'],
  schema: {
    type: 'object',
    description: 'A site at the far end: whether it may register, and what is known of it.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        description: 'What operators decide.',
        required: ['admission'],
        properties: {
          admission: {
            type: 'string',
            enum: ['Allowed', 'Denied'],
            description: 'Whether the edge is on the whitelist. A denied edge is cut off at once.',
          },
          keyPin: {
            type: 'string',
            pattern: '^sha256/[A-Za-z0-9_-]{43}$',
            description: 'Only this key may register: `sha256/` and the base64url of the hash of its public key.',
          },
          labels: labels('What operators say of the edge, for selectors in policies.'),
          cacheReads: {
            type: 'string',
            enum: ['OnRequest', 'ByDefault'],
            description:
              'Whether reads of the edge’s `kube` that ask for no freshness are answered from the cache. Default: what the replica is configured to do.',
          },
        },
      },
      status: {
        type: 'object',
        description: 'What replicas see; they write it, nobody else.',
        properties: {
          online: { type: 'boolean', description: 'Whether any replica has a link to it.' },
          links,
          instance: { ...text('The agent’s process; null before the first contact.', 64), nullable: true },
          epoch: { type: 'integer', minimum: 0, description: 'Fencing number of the registration.' },
          services,
          agentVersion: { ...text('Version of the agent.', 64), nullable: true },
          lastContact: {
            ...time('When a replica last heard of the edge; while it is online, refreshed every few minutes.'),
            nullable: true,
          },
          certificate: {
            type: 'object',
            description: 'The certificate of its active link, and the roots that it trusts.',
            properties: {
              notAfter: time('Until when the certificate is good; the agent renews it long before.'),
              issuer: text('Key identifier of the authority that issued it.', 64),
              keyPin: text('Its key, as `spec.keyPin` pins it.', 64),
              serial: text('Its serial number, in hex.', 64),
              trustVersion: text('Version of the trust bundle that the edge has.', 64),
            },
          },
          reason: text('Why the edge is not online, or was refused.', 1024),
          conditions,
        },
      },
    },
  },
  columns: [
    {
      name: 'Admission',
      type: 'string',
      priority: 0,
      value: '.spec.admission',
      description: 'On the whitelist or not',
    },
    {
      name: 'Online',
      type: 'string',
      priority: 0,
      value: ({ status }) => (isOnline(status) ? 'True' : 'False'),
      description: 'Whether a replica has a link to it',
    },
    { name: 'Links', type: 'integer', priority: 0, value: (node) => lengthOf(memberOf(node['status'], 'links')) },
    { name: 'Agent', type: 'string', priority: 0, value: '.status.agentVersion', description: 'Version of the agent' },
    {
      name: 'Last Contact',
      type: 'string',
      priority: 0,
      // While there is a link the time in the status is only refreshed now and then.
      value: ({ status }, nowMs) => (isOnline(status) ? 'now' : ageOf(memberOf(status, 'lastContact'), nowMs)),
      description: 'When it was last heard of',
    },
    age,
    {
      name: 'Services',
      type: 'string',
      priority: 1,
      value: (node) => namesOf(memberOf(node['status'], 'services')),
      description: 'What the agent serves',
    },
    {
      name: 'Certificate',
      type: 'string',
      priority: 1,
      value: '.status.certificate.notAfter',
      description: 'Until when its certificate is good',
    },
    { name: 'Epoch', type: 'integer', priority: 1, value: '.status.epoch' },
  ],
});

/** Names and labels have rules that a schema cannot say; whoever reads an edge from the store relies on them. */
export const edgeNodeHooks: ResourceHooks = {
  validate: (node) =>
    edgeNodeProblems(node)
      .filter(({ path: [part, member] }) => (part === 'metadata' && member === 'name') || member === 'labels')
      .map(({ path, message }) => ({
        field: path.join('.'),
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${message}`,
      })),
};

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}

function namesOf(list: unknown): string {
  if (!Array.isArray(list)) return '';
  return list.map((item: unknown) => memberOf(item, 'name')).join(',');
}

function isOnline(status: unknown): boolean {
  return memberOf(status, 'online') === true;
}
