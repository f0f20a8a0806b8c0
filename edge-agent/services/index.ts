export type { Lookup } from './address-list.ts';
export type { HttpServiceConfig, ServiceConfig, ServicesConfig, TcpServiceConfig } from './service-config.ts';
export { serviceCodes } from './service-error.ts';
export { ServiceTable, type ServiceTableOptions } from './service-table.ts';
