import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:https';
import { metricsPath } from '../api/index.ts';
import { loadKeyStore } from '../certs/index.ts';
import { codeOf, Lifecycle, Metrics, systemClock, type Clock, type Log } from '../base/index.ts';
import { openEmbeddedStore } from '../store/index.ts';
import {
  defaultLimits,
  Endpoint,
  LoopPort,
  Stream,
  Switch,
  Ticker,
  tunnelError,
  type KindStreamOpener,
  type TunnelLimits,
} from '../tunnel/index.ts';
import { fullAccess, knownType, kubernetesRelease, versionDocument, type Access } from '../resources/index.ts';
import { createApiListener } from './api-listener.ts';
import { FeedClients, registerCacheMetrics, ResourceCaches } from './cache/index.ts';
import { EdgeDirectory } from './edge-directory.ts';
import { EdgeRegistry } from './edge-registry.ts';
import { EdgeStatusWriter, FleetApi, ReplicaObject } from './fleet/index.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { gatewayError } from './gateway-error.ts';
import { answerHealth, answerJson } from './health.ts';
import { EdgeKube, FleetCursor, FleetKube, FleetViews, registerReadCounts } from './kube/index.ts';
import { ReplicaDoor } from './link-door.ts';
import { LinkListener } from './link-listener.ts';
import { OpenSockets } from './open-sockets.ts';
import { createPublicListener } from './public-listener.ts';
import { EdgeFacts } from './edge-facts.ts';
import { ReplicaMetrics } from './replica-metrics.ts';
import { Router } from './router.ts';

export interface ReplicaOptions {
  readonly config: GatewayConfig;
  readonly log: Log;
  readonly version: string;
  readonly clock?: Clock;
  readonly limits?: TunnelLimits;
}

/** A running replica, and where it listens. */
export interface Replica {
  readonly name: string;
  readonly ports: { readonly link: number; readonly api: number; readonly public: number };
  /** Stops taking new work, finishes what is under way within the drain time, and ends. May be called twice. */
  close(reason: string): Promise<void>;
}

/** A peer that does not answer a link's close is cut after this. */
const LINK_CLOSE_MS = 1000;

/** Starts a replica: store, switch, registry, and the three listeners. Errors: `port-in-use`, the store's, the keys'. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const { config, log, version, clock = systemClock, limits = defaultLimits } = options;
  const lifecycle = new Lifecycle({ clock, onStep: (step, reason) => log.debug('closing', { step, reason }) });
  try {
    return await assemble();
  } catch (error) {
    await lifecycle.close('the start failed');
    throw error;
  }

  async function assemble(): Promise<Replica> {
    const credentials = await loadKeyStore(config.keys);
    const store = openEmbeddedStore({ file: config.store.path });
    lifecycle.onClose('store', () => store.close());
    const onFault = (error: unknown): void => log.error('replica-fault', { error });
    const self = `${config.site}/${config.name}`;
    const replicaObject = new ReplicaObject(
      { site: config.site, name: config.name, version },
      randomUUID(),
      clock,
      Date.now(),
    );
    const fleet = await FleetApi.open({ store, replicas: replicaObject.collection, clock, onFault });
    lifecycle.onClose('fleet API', () => {
      replicaObject.close();
      fleet.close();
    });
    const directory = await EdgeDirectory.open({ store, nodes: fleet.nodes, onFault });
    lifecycle.onClose('directory', () => directory.close());

    const { maxBytes, snapshots, reads } = config.cache;
    const caches = new ResourceCaches({ log, clock, maxBytes, snapshotFolder: snapshots, knownType });
    await caches.load((edge) => directory.admission(edge) === 'allowed');
    lifecycle.onClose('cache', () => caches.close(), { deadlineMs: 60_000 });

    let ready = false;
    const ticker = new Ticker(clock);
    const tunnelSwitch = new Switch({ clock, limits, route: (...asked) => router.route(...asked) });
    const registry = new EdgeRegistry({
      clock,
      wallClock: Date.now,
      switch: tunnelSwitch,
      holdMs: limits.openWithinMs,
      onChange: (edge) => edgeChanged(edge),
    });
    lifecycle.onClose('registry', () => registry.close());
    const facts = new EdgeFacts({
      directory,
      registry,
      caches,
      feedsNothing: (edge) => feeds.clients.get(edge)?.isRefused === true,
      replica: self,
      reads,
    });
    const status = new EdgeStatusWriter({
      nodes: fleet.nodes,
      observe: (edge) => facts.observation(edge),
      linked: () => registry.linked,
      clock,
      onFault,
    });
    lifecycle.onClose('edge status', () => status.close());

    // The front is one more endpoint, joined to the switch without a wire.
    const endpoint = new Endpoint({ clock, limits, pool: tunnelSwitch.pool });
    const [frontPort, switchPort] = LoopPort.pair('front', clock, limits);
    frontPort.user = endpoint.attach(frontPort);
    switchPort.user = tunnelSwitch.attach(switchPort);
    lifecycle.onClose('streams', () => {
      endpoint.close(tunnelError('draining'));
      // The links have gone before: nobody is left whom an end could be told.
      frontPort.close(tunnelError('draining'));
    });

    const router = new Router({ directory, registry, front: switchPort, accessOf });
    const welcome = { version: 1, site: config.site, replica: config.name, replicas: config.advertise };
    const door = new ReplicaDoor({ directory, registry, router, tunnelSwitch, welcome, onClients: showReplica });
    const listener = new LinkListener({ credentials, door, clock, ticker, limits, log });
    const allMetrics = new Metrics({ processMetrics: true });
    const metrics = new ReplicaMetrics(allMetrics, { tunnelSwitch, registry, endpoint, listener });
    const opener: KindStreamOpener = { open: (target, open) => new Stream(endpoint.open(target, open)) };
    const feeds = new FeedClients({
      caches,
      clock,
      log,
      principal: `replica/${self}`,
      opener,
      find: (edge) => registry.find(edge),
    });
    // Where the start fails; else they have been closed by then, see below.
    lifecycle.onClose('feeds', () => feeds.close());
    registerCacheMetrics(allMetrics, caches, feeds);

    const counts = registerReadCounts(allMetrics);
    const edgeKube = new EdgeKube({
      caches,
      edge: (edge) => facts.view(edge),
      counts,
      version,
      wallClock: Date.now,
      onError: onFault,
    });
    const views = new FleetViews({ caches, cursor: await FleetCursor.open(store), clock });
    lifecycle.onClose('fleet view', () => views.close());
    const fleetKube = new FleetKube({
      views,
      edges: (kind) => facts.fleetEdges(kind),
      counts,
      version,
      clock,
      onError: onFault,
    });
    caches.onKindsChanged((edge) => {
      edgeKube.kindsChanged(edge);
      views.kindsChanged(edge);
    });
    caches.onStateChanged((edge) => status.changed(edge));
    directory.onChange((edge) => {
      if (directory.admission(edge) === 'allowed') return;
      registry.cut(edge);
      // Off the whitelist: what it said is not shown any more.
      feeds.forget(edge).catch(onFault);
    });
    // What this replica saw before its process ended, or did not see since.
    for (const { metadata, status: known } of directory.edges)
      if (known?.links.some(({ replica }) => replica === self) === true) status.changed(metadata.name);

    const api = createApiListener({
      credentials,
      opener,
      accessOf,
      kube: edgeKube,
      onDone: (target, outcome) => metrics.requestDone(target, outcome),
      openPaths: (request, response, path) => answerHealth(request, response, path, () => ready),
      paths: (request, response, path, access) => {
        if (fleetKube.answer(request, response, path, access)) return true;
        if (path === metricsPath) metrics.answer(response);
        else if (path === '/version') answerJson(response, 200, versionInfo());
        else return fleet.answer(request, response, access);
        return true;
      },
      log,
    });
    const open = createPublicListener({
      credentials,
      openPaths: (request, response, path) => answerHealth(request, response, path, () => ready),
    });

    const sockets = {
      link: new OpenSockets(listener.server),
      api: new OpenSockets(api),
      public: new OpenSockets(open),
    };
    const ports = {
      link: await listen(listener.server, config.link, 'link'),
      api: await listen(api, config.api, 'api'),
      public: await listen(open, config.public, 'public'),
    };
    lifecycle.onClose('public listener', () => sockets.public.close());
    lifecycle.onClose('links', () => {
      listener.close(tunnelError('draining', { retryAfterMs: 500 }));
      return sockets.link.drain(clock, LINK_CLOSE_MS);
    });
    // While there are links yet, so that agents hear of it and have nothing to wait for.
    lifecycle.onClose('feeds', () => feeds.close());
    lifecycle.onClose('api listener', () => sockets.api.drain(clock, config.drainMs), {
      deadlineMs: config.drainMs + 2000,
    });
    lifecycle.onClose('readiness', () => {
      ready = false;
    });
    ready = true;
    showReplica();
    log.info('replica-started', { site: config.site, replica: config.name, ports });
    return { name: config.name, ports, close: (reason) => lifecycle.close(reason) };

    function edgeChanged(edge: string): void {
      status.changed(edge);
      feeds.edgeChanged(edge);
      showReplica();
    }

    function showReplica(): void {
      if (ready) replicaObject.show({ ports, links: listener.links.size, edges: registry.online });
    }

    /** As kubectl reads it, and who answers. */
    function versionInfo(): Readonly<Record<string, string>> {
      const { site, name } = config;
      const info = versionDocument({ kubernetes: kubernetesRelease, causeway: version });
      return { ...info, causeway: version, site, replica: name };
    }
  }
}

/** The one place that says who may do what; until there is a policy, whoever is known may do everything. */
function accessOf(principal: string): Access {
  return fullAccess(principal);
}

async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  name: string,
): Promise<number> {
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw gatewayError('port-in-use', { detail: `${host}:${port} (${name}.port)`, cause: error });
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
