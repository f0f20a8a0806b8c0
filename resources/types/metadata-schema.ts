import { boolean, integer64, list, listByKey, map, object, openObject, string, time } from './schema-parts.ts';
import type { ObjectSchema } from './resource-type.ts';

/** `meta/v1` ObjectMeta: the same for every kind, whatever its own schema says. */
export const metadataSchema: ObjectSchema = object('What every object has.', {
  name: string('Name, unique within its namespace; it cannot be changed.'),
  generateName: string('Beginning of a name that the server completes, where no name is given.'),
  namespace: string('Namespace that the object belongs to.'),
  uid: string('Identity of this object in time: another object of the same name has another. Set by the server.'),
  resourceVersion: string('Changes with every write; compare for equality only. Set by the server.'),
  generation: integer64('Counts the changes of what is wished. Set by the server.'),
  creationTimestamp: time('When the object was made. Set by the server.'),
  deletionTimestamp: time('When the object will be gone or, with finalizers, could be. Set by the server.'),
  deletionGracePeriodSeconds: integer64('Seconds between the deletion and the end. Set by the server.'),
  labels: map('Names and values to select objects by.', { type: 'string' }),
  annotations: map('Names and values that tools keep with the object.', { type: 'string' }),
  finalizers: list(
    'Who has to finish something before the object goes.',
    { type: 'string' },
    { 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' },
  ),
  ownerReferences: listByKey(
    'Objects that this one belongs to; it goes with the last of them.',
    'uid',
    object(
      'An owner.',
      {
        apiVersion: string('Group and version of the owner.'),
        kind: string('Kind of the owner.'),
        name: string('Name of the owner.'),
        uid: string('Identity of the owner.'),
        controller: boolean('Whether this owner is the one that manages the object.'),
        blockOwnerDeletion: boolean('Whether the owner waits for this object when it is deleted in the foreground.'),
      },
      { required: ['apiVersion', 'kind', 'name', 'uid'] },
    ),
  ),
  managedFields: list('Which client last set which fields.', openObject('The fields of one client.')),
  selfLink: string('Not used any more.'),
});
