export { ControlEndpoint, type ControlEndpointOptions } from './control-endpoint.ts';
