import { typesOfDefinition } from '../../../resources/types/crd.ts';
import { coreTypes } from '../../../resources/types/kinds/core-types.ts';
import type { ResourceType } from '../../../resources/types/resource-type.ts';

/** A custom resource with everything that the rules look at: status, defaults, limits, lists, columns, fields to select by. */
export const widgetDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        selectableFields: [{ jsonPath: '.spec.color' }],
        additionalPrinterColumns: [
          { name: 'Color', type: 'string', jsonPath: '.spec.color' },
          { name: 'Size', type: 'integer', jsonPath: '.spec.size', priority: 1 },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A thing to test with.',
            properties: {
              spec: {
                type: 'object',
                description: 'What is wished.',
                required: ['color'],
                properties: {
                  color: { type: 'string', enum: ['red', 'green', 'blue'], description: 'How it looks.' },
                  size: { type: 'integer', minimum: 1, maximum: 10, default: 3, description: 'How large it is.' },
                  tags: { type: 'array', items: { type: 'string' }, description: 'Words for it.' },
                  parts: {
                    type: 'array',
                    items: { type: 'object', properties: { name: { type: 'string' }, count: { type: 'integer' } } },
                  },
                },
              },
              status: { type: 'object', properties: { phase: { type: 'string' } } },
            },
          },
        },
      },
    ],
  },
};

export const widgetType: ResourceType = first(typesOfDefinition(widgetDefinition));

/** Namespaces, ConfigMaps, Pods ... and a custom resource. */
export const testTypes: readonly ResourceType[] = [...coreTypes, widgetType];

export function typeNamed(resource: string): ResourceType {
  return first(testTypes.filter((type) => type.resource === resource));
}

function first<T>(list: readonly T[]): T {
  const [one] = list;
  if (one === undefined) throw new Error('there is none');
  return one;
}
