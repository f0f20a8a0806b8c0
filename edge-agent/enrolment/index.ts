export { enrol, type Enrolled, type EnrolOptions } from './enrol.ts';
export { enrolCodes } from './enrol-error.ts';
