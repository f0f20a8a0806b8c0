import type { ResourceType } from '../../resources/index.ts';
import { age, fleetType, text, time } from './fleet-type.ts';

const port = { type: 'integer', minimum: 0, maximum: 65_535 };

/** A gateway process. Nobody writes it but the process itself. */
export const replicaType: ResourceType = fleetType({
  kind: 'Replica',
  resource: 'replicas',
  shortNames: ['rep'],
  verbs: ['get', 'list', 'watch'],
  hasStatus: false,
  schema: {
    type: 'object',
    description: 'A gateway process: where it runs, and what it carries.',
    properties: {
      spec: {
        type: 'object',
        description: 'Who it is.',
        properties: {
          site: text('Data center that it is in.', 63),
          name: text('Its name, unique in its site.', 63),
          ports: {
            type: 'object',
            description: 'Where it listens.',
            properties: {
              api: { ...port, description: 'For HTTP and Kubernetes clients.' },
              link: { ...port, description: 'For links.' },
              public: { ...port, description: 'For health, and what needs no certificate.' },
            },
          },
        },
      },
      status: {
        type: 'object',
        description: 'What it carries now.',
        properties: {
          version: text('Version of Causeway.', 64),
          startedAt: time('When the process started.'),
          links: { type: 'integer', minimum: 0, description: 'Links to it, of edges and clients.' },
          edges: { type: 'integer', minimum: 0, description: 'Edges that have a link to it.' },
          certificate: {
            type: 'object',
            description: 'Its certificate, and the roots that it trusts.',
            properties: {
              notAfter: time('Until when it is good.'),
              issuer: text('Key identifier of the authority that issued it.', 64),
              trustVersion: text('Version of the trust bundle that the replica has.', 64),
            },
          },
          edgeIssuer: text('Key identifier of the issuer of edges that it has.', 64),
        },
      },
    },
  },
  columns: [
    { name: 'Site', type: 'string', priority: 0, value: '.spec.site' },
    { name: 'Version', type: 'string', priority: 0, value: '.status.version' },
    { name: 'Edges', type: 'integer', priority: 0, value: '.status.edges', description: 'Edges with a link to it' },
    { name: 'Links', type: 'integer', priority: 0, value: '.status.links', description: 'Links, also of clients' },
    { name: 'API', type: 'integer', priority: 1, value: '.spec.ports.api', description: 'Port of its API' },
    age,
  ],
});
