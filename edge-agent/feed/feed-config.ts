import { z } from '../../base/index.ts';

/** Which kinds of a Kubernetes API are fed to replicas; the key `cache` of a service of kind `http`. */
export const feedConfigSchema = z.strictObject({
  /** As `kubectl api-resources` names them: `pods`, `deployments.apps`, `virtualmachines.kubevirt.io`. */
  resources: z
    .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/u, 'is not the name of a resource'))
    .min(1)
    .max(64),
  /** Leaves out who wrote which field: half of a Pod's bytes, and hardly ever read. */
  dropManagedFields: z.boolean().default(true),
  /** Whether `secrets` may stand in `resources`. They are never written to a replica's disk. */
  secrets: z.boolean().default(false),
  /** Memory for what is fed; a kind that goes beyond is fed no more. */
  maxBytes: z
    .int()
    .positive()
    .default(512 * 1024 * 1024),
  /** Ends the watches of the API when no replica has asked for so long; 0: never. */
  idleStopMs: z.int().min(0).default(600_000),
});

export type FeedConfig = z.output<typeof feedConfigSchema>;
