export type { Lookup } from './address-list.ts';
export type { HttpServiceConfig, ServiceConfig, ServicesConfig, TcpServiceConfig } from './service-config.ts';
export { ServiceTable, type ServiceTableOptions } from './service-table.ts';
export { serviceError } from './service-error.ts';
