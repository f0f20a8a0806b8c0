import { once } from 'node:events';
import type { Server } from 'node:https';
import { metricsPath } from '../api/index.ts';
import { identityName, loadKeyStore } from '../certs/index.ts';
import { codeOf, type CodedError, Lifecycle, Metrics, systemClock, type Clock, type Log } from '../base/index.ts';
import { openEmbeddedStore } from '../store/index.ts';
import {
  defaultLimits,
  Endpoint,
  LoopPort,
  Stream,
  Switch,
  Ticker,
  tunnelError,
  type Link,
  type LinkBody,
  type OpenFrame,
  type Port,
  type Route,
  type TunnelLimits,
} from '../tunnel/index.ts';
import { createApiListener } from './api-listener.ts';
import { EdgeDirectory } from './edge-directory.ts';
import { EdgeNodes } from './edge-nodes.ts';
import { EdgeRegistry, type EdgeHello } from './edge-registry.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { gatewayError } from './gateway-error.ts';
import { answerHealth, answerJson } from './health.ts';
import { parseHello } from './hello.ts';
import { LinkListener, type LinkDoor, type LinkGuest } from './link-listener.ts';
import { OpenSockets } from './open-sockets.ts';
import { createPublicListener } from './public-listener.ts';
import { ReplicaMetrics } from './replica-metrics.ts';

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
    const directory = await EdgeDirectory.open(store);
    lifecycle.onClose('directory', () => directory.close());

    let ready = false;
    const ticker = new Ticker(clock);
    const tunnelSwitch = new Switch({ clock, limits, route });
    const registry = new EdgeRegistry({
      clock,
      wallClock: Date.now,
      switch: tunnelSwitch,
      holdMs: limits.openWithinMs,
    });
    directory.onDenied((edge) => registry.cut(edge));

    // The front is one more endpoint, joined to the switch without a wire.
    const endpoint = new Endpoint({ clock, limits, pool: tunnelSwitch.pool });
    const [frontPort, switchPort] = LoopPort.pair('front', clock, limits);
    frontPort.user = endpoint.attach(frontPort);
    switchPort.user = tunnelSwitch.attach(switchPort);
    lifecycle.onClose('streams', () => endpoint.close(tunnelError('draining')));

    const listener = new LinkListener({ credentials, door: linkDoor(), clock, ticker, limits, log });
    const metrics = new ReplicaMetrics(new Metrics({ processMetrics: true }), {
      tunnelSwitch,
      registry,
      endpoint,
      listener,
    });
    const principals = new Map<Port, string>([[switchPort, '']]);
    const nodes = new EdgeNodes({ directory, registry, replica: `${config.site}/${config.name}` });

    const api = createApiListener({
      credentials,
      opener: { open: (target, open) => new Stream(endpoint.open(target, open)) },
      onDone: (target, outcome) => metrics.requestDone(target, outcome),
      openPaths: (request, response, path) => answerHealth(request, response, path, () => ready),
      paths: (request, response, path) => {
        if (path === metricsPath) metrics.answer(response);
        else if (path === '/version')
          answerJson(response, 200, {
            gitVersion: `v${version}`,
            causeway: version,
            site: config.site,
            replica: config.name,
          });
        else return nodes.answer(request, response, path);
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
    lifecycle.onClose('api listener', () => sockets.api.drain(clock, config.drainMs), {
      deadlineMs: config.drainMs + 2000,
    });
    lifecycle.onClose('readiness', () => {
      ready = false;
    });
    ready = true;
    log.info('replica-started', { site: config.site, replica: config.name, ports });
    return { name: config.name, ports, close: (reason) => lifecycle.close(reason) };

    function route(frame: OpenFrame, from: Port, wanted: { readonly gone: boolean }): Route | Promise<Route> {
      const { edge, principal: said } = frame.target;
      const known = principals.get(from);
      if (known === undefined) return { refuse: tunnelError('denied', { detail: 'this link may not open streams' }) };
      // Only the front's own port may say who calls; every other link is who its certificate says.
      const principal = from === switchPort ? said : known;
      const admission = directory.admission(edge);
      if (admission === 'unknown') return { refuse: tunnelError('edge-unknown', { detail: edge }) };
      if (admission === 'denied') return { refuse: tunnelError('edge-denied', { detail: edge }) };
      return registry.route(edge, principal, wanted);
    }

    function linkDoor(): LinkDoor {
      const welcome = { version: 1, site: config.site, replica: config.name, replicas: config.advertise };
      return {
        admit(identity, keyPin) {
          if (identity.kind === 'edge') requireAllowed(identity.id, keyPin);
        },
        async greet(identity, body, link) {
          const hello = parseHello(identity.kind, body);
          if (identity.kind !== 'edge' || hello.role !== 'edge')
            return clientGuest(identityName(identity), link, welcome);
          const epoch = await directory.claimEpoch(identity.id, hello.instance, hello.epoch);
          // The whitelist may have changed while the store was asked.
          if (directory.admission(identity.id) !== 'allowed') throw deniedError(identity.id);
          return edgeGuest(identity.id, hello, epoch, link, { ...welcome, epoch });
        },
      };
    }

    function edgeGuest(edge: string, hello: EdgeHello, epoch: number, link: Link, welcome: LinkBody): LinkGuest {
      return {
        welcome,
        opened: () => {
          link.streams = tunnelSwitch.attach(link);
          registry.add(edge, epoch, hello, link);
        },
        updated: (body) => {
          if (body['active'] === true) registry.activate(edge, link);
        },
        closed: () => registry.remove(edge, link),
      };
    }

    function clientGuest(principal: string, link: Link, welcome: LinkBody): LinkGuest {
      return {
        welcome,
        opened: () => {
          link.streams = tunnelSwitch.attach(link);
          principals.set(link, principal);
        },
        updated: () => {},
        closed: () => principals.delete(link),
      };
    }

    function requireAllowed(edge: string, keyPin: string): void {
      const pinned = directory.find(edge)?.spec.keyPin;
      if (directory.admission(edge) !== 'allowed' || (pinned !== undefined && pinned !== keyPin))
        throw deniedError(edge);
    }
  }
}

function deniedError(edge: string): CodedError {
  return tunnelError('edge-denied', { detail: edge, retryAfterMs: 30_000 });
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
