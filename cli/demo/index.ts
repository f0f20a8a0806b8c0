export { demoServicesCommand } from './demo-services.ts';
