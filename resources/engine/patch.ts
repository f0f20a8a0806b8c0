import { resourceError } from '../resource-error.ts';
import { isBuiltIn, qualifiedName, type ResourceType } from '../types/resource-type.ts';
import { applyJsonPatch } from './json-patch.ts';
import { structureProblem } from './json-record.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

/** `strategic`: of the built-in kinds only, as in Kubernetes. */
export type PatchType = 'json' | 'merge' | 'strategic';

export interface Patch {
  readonly type: PatchType;
  /** As parsed from its body. */
  readonly value: unknown;
}

/**
 * What an object becomes by a patch; neither is changed, and nothing is checked but that the patch applies. Throws
 * `patch-inapplicable`, `object-malformed` for what is no patch, `media-type-unsupported` for a strategic one of a custom kind.
 */
export function applyPatchTo(type: ResourceType, object: unknown, { type: patchType, value }: Patch): unknown {
  const result = applied(type, object, patchType, value);
  const problem = structureProblem(result);
  if (problem !== undefined) throw resourceError('patch-inapplicable', { detail: problem });
  return result;
}

function applied(type: ResourceType, object: unknown, patchType: PatchType, value: unknown): unknown {
  switch (patchType) {
    case 'json':
      return applyJsonPatch(object, value);
    case 'merge':
      return applyMergePatch(object, value);
    case 'strategic':
      if (isBuiltIn(type)) return applyStrategicMergePatch(object, value, type);
      throw resourceError('media-type-unsupported', {
        detail: `${qualifiedName(type)} are custom resources: they take merge patches and JSON patches, no strategic ones`,
      });
  }
}
