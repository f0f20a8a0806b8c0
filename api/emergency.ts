import { isDnsLabel, validate, z } from '../base/index.ts';
import { apiError } from './api-error.ts';

/** Where a replica is told to keep an edge out at once, whatever the store says: POST; GET lists what it was told. */
export const emergencyDenyPath = '/v1/emergency-deny';

const emergencyRequest = z.strictObject({
  edge: z.string().refine(isDnsLabel, 'expected a DNS label'),
  /** Takes an earlier denial back. */
  lift: z.boolean().default(false),
  reason: z.string().max(1024).default(''),
});

/** Lenient, since the replica may be newer than the command. */
const emergencyAnswer = z.looseObject({
  edge: z.string(),
  /** `site/name` of the replica. */
  replica: z.string(),
  denied: z.boolean(),
  /** Whether this changed anything. */
  changed: z.boolean(),
  /** Whether it survives the replica's restart. */
  kept: z.boolean(),
});

export type EmergencyRequest = z.output<typeof emergencyRequest>;
export type EmergencyAnswer = z.output<typeof emergencyAnswer>;

/** Throws `object-invalid`. */
export function parseEmergencyRequest(value: unknown): EmergencyRequest {
  return parsed(emergencyRequest, value);
}

/** Throws `object-invalid`. */
export function parseEmergencyAnswer(value: unknown): EmergencyAnswer {
  return parsed(emergencyAnswer, value);
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = validate(schema, value);
  if ('value' in result) return result.value;
  const problems = result.problems.map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`);
  throw apiError('object-invalid', problems.slice(0, 20).join('; '));
}
