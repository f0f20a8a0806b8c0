import { boolean, conditions, integer, list, listByKey, object, openObject, string } from '../schema-parts.ts';
import { builtInType, column } from './built-in-type.ts';
import { textAt } from './field-reading.ts';

const names = (description: string) =>
  object(description, {
    plural: string('Name in URLs.'),
    singular: string('Name of one; default: the kind in small letters.'),
    kind: string('Name of the kind.'),
    listKind: string('Name of the kind of lists; default: the kind and List.'),
    shortNames: list('Short names for the command line.', string('A name.')),
    categories: list('Groups of kinds that it belongs to, such as all.', string('A name.')),
  });

const path = (description: string) => object(description, { jsonPath: string('Path such as .spec.color.') });

/** `apiextensions.k8s.io/v1` CustomResourceDefinition, for an API whose types can be added to. */
export const definitionType = builtInType({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  hasStatus: true,
  description: 'A type of resources that this API serves besides its own.',
  fields: {
    spec: object(
      'The type.',
      {
        group: string('Group, with a dot.'),
        scope: string('Namespaced or Cluster.'),
        names: names('How it is called.'),
        preserveUnknownFields: boolean('Only false is possible.'),
        conversion: openObject('How one version becomes another; only the strategy None is possible.'),
        versions: listByKey(
          'Its versions.',
          'name',
          object(
            'A version.',
            {
              name: string('Name such as v1.'),
              served: boolean('Whether it can be used.'),
              storage: boolean('Whether objects are kept in it; exactly one is.'),
              deprecated: boolean('Whether it should not be used any more.'),
              deprecationWarning: string('What is said to who uses it all the same.'),
              schema: object('What its objects look like.', {
                openAPIV3Schema: openObject('A structural schema.'),
              }),
              subresources: object('What is served below an object.', {
                status: openObject('Its status is written on its own.', { nullable: true }),
                scale: openObject('Its size is written on its own; not served.', { nullable: true }),
              }),
              additionalPrinterColumns: list(
                'How it is shown.',
                object('A column.', {
                  name: string('Its heading.'),
                  type: string('string, integer, number, boolean or date.'),
                  format: string('A note to the type.'),
                  description: string('What it shows.'),
                  priority: integer('0: always shown; more: with -o wide.'),
                  jsonPath: string('Path to the value, such as .spec.color.'),
                }),
              ),
              selectableFields: list('What field selectors may name.', path('A field.')),
            },
            { required: ['name', 'served', 'storage'] },
          ),
        ),
      },
      { required: ['group', 'names', 'scope', 'versions'] },
    ),
    status: object('What is.', {
      conditions: conditions('Whether it is served.'),
      acceptedNames: names('How it is called.'),
      storedVersions: list('Versions in which objects may be kept.', string('A version.')),
      observedGeneration: integer('The generation that this was found for.'),
    }),
  },
  required: ['spec'],
  columns: [column('Created At', 'When it was made.', (type) => textAt(type, 'metadata.creationTimestamp'))],
});
