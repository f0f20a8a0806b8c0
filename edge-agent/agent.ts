import { identityName, type LiveKeyStore } from '../certs/index.ts';
import { Lifecycle, systemClock, type Clock, type Log } from '../base/index.ts';
import {
  defaultLimits,
  Endpoint,
  proxyFromEnvironment,
  Stream,
  Ticker,
  tunnelError,
  Uplink,
  type TunnelLimits,
  type UplinkEvent,
} from '../tunnel/index.ts';
import type { AgentConfig } from './agent-config.ts';
import { EdgeCredentials } from './control/index.ts';
import { startEmbedded } from './edge-api/index.ts';
import { EdgeFeeds } from './feed/index.ts';
import { ReplicaList } from './replica-list.ts';
import { ServiceTable } from './services/index.ts';
import { StatusSocket, type AgentReport } from './status-socket.ts';

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly log: Log;
  readonly version: string;
  readonly clock?: Clock;
  readonly limits?: TunnelLimits;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds since 1970, as this machine believes. Default `Date.now`. */
  readonly wallClock?: () => number;
}

/** A running agent. */
export interface Agent {
  readonly edge: string;
  /** Its services, as its configuration declares them. */
  readonly services: ServiceTable;
  readonly uplink: Uplink;
  readonly endpoint: Endpoint;
  /** What it shows and trusts now. */
  readonly keys: LiveKeyStore;
  /** Reads the files of its key store again; throws what is wrong with them, and the old ones stay in use. */
  reload(): Promise<void>;
  /** Takes no new stream, waits a while for the others, and ends. May be called twice. */
  close(reason: string): Promise<void>;
}

/** Starts an agent: links go up, and streams that come down them reach the declared services. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { log, clock = systemClock } = options;
  const lifecycle = new Lifecycle({ clock, onStep: (step, reason) => log.debug('closing', { step, reason }) });
  try {
    return await assemble(options, lifecycle);
  } catch (error) {
    await lifecycle.close('the start failed');
    throw error;
  }
}

async function assemble(options: AgentOptions, lifecycle: Lifecycle): Promise<Agent> {
  const { config, log, version, clock = systemClock, limits = defaultLimits, env = process.env } = options;
  const credentials = await EdgeCredentials.open({
    keys: config.keys,
    keyPassword: config.keyPassword,
    data: config.data,
    publicListeners: config.public,
    proxy: (target) => config.proxy ?? proxyFromEnvironment(target, env),
    clock,
    wallClock: options.wallClock ?? Date.now,
    log,
  });
  const { keys } = credentials;
  const edge = identityName(keys.identity).replace(/^edge\//u, '');
  const declared = await startEmbedded(config, { agentVersion: version, clock, log, lifecycle });
  const services = new ServiceTable({ services: declared, addresses: config.addresses }, { clock, log });
  lifecycle.onClose('services', () => services.destroy());
  const fed = declared.flatMap((service) =>
    service.kind === 'http' && service.cache !== undefined ? [[service.name, service.cache] as const] : [],
  );
  for (const service of declared) {
    // Copies are read with the agent's own rights, and handed out by the fleet's policy.
    if (service.kind === 'http' && service.impersonate === true && service.cache !== undefined)
      log.warn('cache-is-not-impersonated', { service: service.name });
  }
  const feeds = new EdgeFeeds({ services, feeds: new Map(fed), clock, log });

  const endpoint = new Endpoint({
    clock,
    limits,
    onStream: (core) => {
      const stream = new Stream(core);
      log.debug('stream-opened', () => ({ ...stream.target }));
      stream.on('error', (error) => log.debug('stream-failed', () => ({ ...stream.target, error })));
      if (stream.target.kind === 'sync') feeds.dispatchStream(stream);
      else services.dispatchStream(stream);
    },
  });
  const ticker = new Ticker(clock);
  const replicas = new ReplicaList(config.gateways, config.data);
  await replicas.load();
  let epoch = 0;
  let problem: AgentReport['problem'];
  const uplink = new Uplink({
    clock,
    ticker,
    endpoint,
    limits,
    links: config.links,
    targets: () => replicas.targets,
    dial: (target) => credentials.dial(target),
    hello: () => ({
      role: 'edge',
      version: 1,
      instance: endpoint.instance,
      agentVersion: version,
      services: services.services,
      epoch,
      trust: keys.trust.version,
    }),
    onUpdate: (body) => {
      credentials.onUpdate(body);
      if (replicas.learn(body['replicas'])) uplink.spread();
    },
    onEvent: (event) => {
      logLink(log, event);
      credentials.onEvent(event);
      problem = problemOf(event) ?? problem;
      if (event.kind !== 'opened') return;
      if (replicas.learn(event.welcome['replicas'])) uplink.spread();
      if (typeof event.welcome['epoch'] === 'number') epoch = event.welcome['epoch'];
    },
  });
  lifecycle.onClose('links', () =>
    uplink.close(tunnelError('endpoint-closed', { detail: `the agent of ${edge} stopped` })),
  );
  lifecycle.onClose('streams', () =>
    endpoint.close(tunnelError('endpoint-closed', { detail: `the agent of ${edge} stopped` })),
  );
  lifecycle.onClose('drain', () => untilIdle(endpoint, clock, config.drainMs), { deadlineMs: config.drainMs + 1000 });
  // They never end by themselves.
  lifecycle.onClose('feeds', () => feeds.close());
  if (config.data !== undefined) {
    const socket = await StatusSocket.open(config.data, currentReport, log);
    lifecycle.onClose('status socket', () => socket?.close());
  }
  lifecycle.onClose('renewal', () => credentials.close());
  uplink.start();
  credentials.start(edge, uplink, { open: (target, open) => new Stream(endpoint.open(target, open)) });
  log.info('agent-started', { edge, instance: endpoint.instance, services: services.services.map(({ name }) => name) });
  return {
    edge,
    services,
    uplink,
    endpoint,
    keys,
    reload: () => credentials.reload(),
    close: (reason) => lifecycle.close(reason),
  };

  function currentReport(): AgentReport {
    const links = uplink.links.map(({ target, active, openedAt }) => ({
      target,
      active,
      seconds: (clock.now() - openedAt) / 1000,
    }));
    const online = links.length > 0;
    return { edge, version, pid: process.pid, online, links, ...(online || problem === undefined ? {} : { problem }) };
  }
}

/** Resolves when no stream is left, or the time is over. */
async function untilIdle(endpoint: Endpoint, clock: Clock, withinMs: number): Promise<void> {
  endpoint.drain();
  const deadline = clock.now() + withinMs;
  while (endpoint.streams > 0 && clock.now() < deadline) {
    await new Promise<void>((resolve) => void clock.after(50, resolve));
  }
}

/** What a person has to know when there is no link. */
function problemOf(event: UplinkEvent): AgentReport['problem'] {
  if (event.kind !== 'closed' && event.kind !== 'failed') return undefined;
  if (event.kind === 'closed' && event.isReplaced) return undefined;
  const { code, message, fix } = event.reason;
  return { code, message, target: event.target, ...(fix === undefined ? {} : { fix }) };
}

function logLink(log: Log, event: UplinkEvent): void {
  switch (event.kind) {
    case 'opened':
    case 'active':
      log.info(`link-${event.kind}`, { link: event.link.id, target: event.target });
      return;
    case 'closed':
      log[event.isReplaced ? 'info' : 'warn']('link-closed', {
        link: event.link.id,
        target: event.target,
        code: event.reason.code,
        reason: event.reason.message,
      });
      return;
    case 'failed':
      log.warn('link-failed', {
        target: event.target,
        code: event.reason.code,
        reason: event.reason.message,
        fix: event.reason.fix,
        retryMs: Math.round(event.retryMs),
      });
      return;
  }
}
