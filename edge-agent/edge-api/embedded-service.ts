import { join } from 'node:path';
import { feedConfigSchema } from '../feed/index.ts';
import { qualifiedName, type ResourceApis } from '../../resources/index.ts';
import type { Clock, Lifecycle, Log } from '../../base/index.ts';
import type { AgentConfig, EmbeddedServiceConfig } from '../agent-config.ts';
import { serviceError } from '../services/index.ts';
import { PRINCIPAL_HEADER, startEdgeApi } from './edge-api.ts';

type DeclaredService = Exclude<AgentConfig['services'][number], EmbeddedServiceConfig>;

export interface EmbeddedOptions {
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends what was started. */
  readonly lifecycle: Lifecycle;
}

/**
 * Starts the embedded APIs among an agent's services. The services as they are then, an embedded one being an HTTP server like any
 * other. Throws `service-invalid`, and what `startEdgeApi` throws.
 */
export async function startEmbedded(
  { services, data }: AgentConfig,
  { agentVersion, clock, log, lifecycle }: EmbeddedOptions,
): Promise<readonly DeclaredService[]> {
  const declared: DeclaredService[] = [];
  for (const service of services) {
    if (service.kind !== 'embedded') {
      declared.push(service);
      continue;
    }
    if (data === undefined)
      throw serviceError('service-invalid', { detail: `${service.name}: an embedded API needs the key \`data\`` });
    const { name, definitions } = service;
    const api = await startEdgeApi({
      data: join(data, name),
      ...(definitions === undefined ? {} : { definitions }),
      agentVersion,
      clock,
      log: log.child({ service: name }),
    });
    lifecycle.onClose(`embedded API ${name}`, () => api.close());
    declared.push({
      name,
      kind: 'http',
      url: `http://${name}`,
      socketPath: api.socketPath,
      principalHeader: PRINCIPAL_HEADER,
      cache: service.cache ?? feedConfigSchema.parse({ resources: fedByDefault(api.apis) }),
    });
  }
  return declared;
}

/** All that changes; the definitions of kinds go out with the kinds. */
function fedByDefault(apis: ResourceApis): readonly string[] {
  const written = [...apis].filter(({ isWritable }) => isWritable);
  return written.map(({ type }) => qualifiedName(type)).filter((name) => name !== 'secrets');
}
