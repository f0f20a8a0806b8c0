export { AttemptLimits } from './attempt-limits.ts';
export { Enrolment, type EnrolmentOptions } from './enrolment.ts';
export { enrolmentCodes, enrolmentError, provenCodes } from './enrolment-error.ts';
export { publicFiles } from './public-files.ts';
export type { PublicPath, PublicPaths } from './public-paths.ts';
export { TokenDesk } from './token-desk.ts';
