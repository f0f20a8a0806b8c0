export { devCommand } from './dev.ts';
