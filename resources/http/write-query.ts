import { validate, z } from '../../base/index.ts';
import type { DeleteOptions, PropagationPolicy, WriteOptions } from '../engine/write-options.ts';
import { fieldUnder } from '../types/field-error.ts';
import { objectMalformed } from '../engine/object-error.ts';
import { invalidParameter, QueryReader } from './query-reader.ts';

const policies = ['Orphan', 'Background', 'Foreground'] as const;

const preconditions = z.object({ uid: z.string().nullish(), resourceVersion: z.string().nullish() });

/** `metav1.DeleteOptions`, as far as it means something here. */
const deleteBody = z.object({
  kind: z.string().nullish(),
  dryRun: z.array(z.literal('All')).nullish(),
  gracePeriodSeconds: z.number().int().nonnegative().nullish(),
  orphanDependents: z.boolean().nullish(),
  propagationPolicy: z.enum(policies).nullish(),
  preconditions: preconditions.nullish(),
});

/** What the parameters of a create, an update or a patch say. Throws `request-invalid`, naming the parameter. */
export function parseWriteQuery(query: URLSearchParams): WriteOptions {
  const reader = new QueryReader(query);
  checkFieldManager(reader);
  const fieldValidation = reader.choice('fieldValidation', ['Ignore', 'Warn', 'Strict']);
  return { dryRun: isDryRun(reader), ...(fieldValidation === undefined ? {} : { fieldValidation }) };
}

/**
 * What the parameters of a delete and its body say; the body, where there is one, is asked first. Throws `request-invalid`,
 * `object-malformed`.
 */
export function parseDeleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const reader = new QueryReader(query);
  const said = body === undefined ? {} : readDeleteBody(body);
  const grace = said.gracePeriodSeconds ?? reader.count('gracePeriodSeconds');
  const orphans = said.orphanDependents ?? reader.flag('orphanDependents');
  const policy = said.propagationPolicy ?? reader.choice('propagationPolicy', policies) ?? policyOf(orphans);
  const { uid, resourceVersion } = said.preconditions ?? {};
  return {
    dryRun: isDryRun(reader) || (said.dryRun ?? []).length > 0,
    preconditions: { uid: uid ?? undefined, resourceVersion: resourceVersion ?? undefined },
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
  };
}

function readDeleteBody(body: unknown): z.output<typeof deleteBody> {
  const result = validate(deleteBody, body);
  if ('problems' in result) {
    const [first] = result.problems;
    throw objectMalformed((first?.path ?? []).reduce<string>(fieldUnder, ''), first?.message ?? 'no DeleteOptions');
  }
  const { kind } = result.value;
  if (kind !== undefined && kind !== null && kind !== 'DeleteOptions')
    throw objectMalformed('kind', `${JSON.stringify(kind.slice(0, 100))} is no DeleteOptions`);
  return result.value;
}

/** Older clients say it this way. */
function policyOf(orphans: boolean | undefined): PropagationPolicy | undefined {
  return orphans === undefined ? undefined : orphans ? 'Orphan' : 'Background';
}

function isDryRun(reader: QueryReader): boolean {
  return reader.choice('dryRun', ['All']) !== undefined;
}

/** Nobody's fields are managed here, but a name that Kubernetes refuses is refused. */
function checkFieldManager(reader: QueryReader): void {
  const manager = reader.text('fieldManager');
  if (manager !== undefined && !/^\P{C}{1,128}$/u.test(manager))
    throw invalidParameter('fieldManager', manager, '1 to 128 printable characters are expected');
}
