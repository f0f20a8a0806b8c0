import { randomUUID, type X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { once } from 'node:events';
import type { Server } from 'node:https';
import { dirname, join } from 'node:path';
import { enrolPath, metricsPath, renewPath } from '../api/index.ts';
import { secureContextOf } from '../certs/index.ts';
import { codeOf, Lifecycle, Metrics, systemClock, type Clock, type CodedError, type Log } from '../base/index.ts';
import { openStore, type Store } from '../store/index.ts';
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
import { knownType, kubernetesRelease, versionDocument, type Access } from '../resources/index.ts';
import { createApiListener } from './api-listener.ts';
import { AuditEndpoint, AuditLog, PassageAudit, registerAuditMetrics, RequestAudit } from './audit/index.ts';
import { ApiPeers } from './api-peers.ts';
import { ControlEndpoint } from './control/index.ts';
import { FeedClients, registerCacheMetrics, ResourceCaches } from './cache/index.ts';
import { EdgeDirectory } from './edge-directory.ts';
import { EdgeLocator } from './edge-locator.ts';
import { EdgeRegistry } from './edge-registry.ts';
import { Enrolment, publicFiles, TokenDesk, provenCodes } from './enrolment/index.ts';
import { EdgeStatusWriter, FleetApi, ReplicaObjects } from './fleet/index.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { gatewayError } from './gateway-error.ts';
import { answerHealth, answerJson } from './health.ts';
import { EdgeKube, FleetCursor, FleetKube, FleetViews, registerReadCounts } from './kube/index.ts';
import { ReplicaDoor } from './link-door.ts';
import { LinkListener } from './link-listener.ts';
import { welcomeAtRequest } from './newcomers.ts';
import { OpenSockets } from './open-sockets.ts';
import type { Peer } from './peer.ts';
import { PeerExpiry } from './peer-expiry.ts';
import { dialPeer, Peering, replicaId, type OwnRecord } from './peers/index.ts';
import { requireProxyHeaders } from './proxy-protocol.ts';
import { PolicyBook, Reviews } from './policy/index.ts';
import { createPublicListener } from './public-listener.ts';
import { EdgeFacts } from './edge-facts.ts';
import { ReplicaMetrics } from './replica-metrics.ts';
import { EmergencyApi, EmergencyDenials, registerRevocationMetrics, Revocations } from './revocation/index.ts';
import { passingRefusal, Router } from './router.ts';
import { requirePath } from './stream-access.ts';
import { answerTrust, LinkCertificates, Renewal, renewalPath, ReplicaCredentials } from './trust/index.ts';

export interface ReplicaOptions {
  readonly config: GatewayConfig;
  readonly log: Log;
  readonly version: string;
  readonly clock?: Clock;
  readonly limits?: TunnelLimits;
  /** Default: the one that the configuration names. One that is given stays open. */
  readonly store?: Store;
}

/** A running replica, and where it listens. */
export interface Replica {
  readonly name: string;
  readonly ports: { readonly link: number; readonly api: number; readonly public: number };
  /** Reads keys, certificates and trust again; throws what is wrong with them, and the old ones stay in use. */
  reload(): Promise<void>;
  /** Stops taking new work, finishes what is under way within the drain time, and ends. May be called twice. */
  close(reason: string): Promise<void>;
}

/** Edges and clients that are asked to go have so long for it. */
const HAND_OVER_MS = 5000;

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
    const own = await ReplicaCredentials.open({
      keys: config.keys,
      keyPassword: config.keyPassword,
      issuer: config.issuer,
      clock,
      log,
    });
    lifecycle.onClose('credentials', () => own.close());
    const credentials = own.keys;
    const store = options.store ?? (await openConfigured());
    const onFault = (error: unknown): void => log.error('replica-fault', { error });
    const self = `${config.site}/${config.name}`;
    const folder = config.store.path === undefined ? config.keys : dirname(config.store.path);
    const auditFile = config.audit.file ?? join(folder, 'audit.jsonl');
    const audit = new AuditLog({ ...config.audit, file: auditFile, replica: self, clock, log });
    // Last of all, since everything that ends may record it.
    lifecycle.onClose('audit', () => audit.close());
    const replicaObjects = new ReplicaObjects(clock);
    const fleet = await FleetApi.open({
      store,
      replicas: replicaObjects.collection,
      trustRefusal: (bundle) => own.refusalOf(bundle),
      clock,
      onNamed: (request, name) => requests.named(request, name),
      onFault,
    });
    lifecycle.onClose('fleet API', () => {
      replicaObjects.close();
      fleet.close();
    });
    await own.follow(fleet.trustBundles);
    const revocations = await Revocations.open({ collection: fleet.revocations, onFault });
    lifecycle.onClose('revocations', () => revocations.close());
    const denials = await EmergencyDenials.open(config.emergency ?? join(config.keys, 'emergency-denied.json'));
    const bans = [revocations, denials];
    const directory = await EdgeDirectory.open({ store, nodes: fleet.nodes, bans, clock, onFault });
    lifecycle.onClose('directory', () => directory.close());

    const { admins } = config;
    const policyBook = await PolicyBook.open({ policies: fleet.policies, nodes: fleet.nodes, admins, onFault });
    lifecycle.onClose('policies', () => policyBook.close());
    // The one place that says who may do what.
    const accessOf = (principal: string): Access => policyBook.accessOf(principal);
    if (policyBook.isEmpty) log.warn('nobody-allowed', { fix: 'name principals in `admins` of the configuration' });

    const { maxBytes, snapshots, reads } = config.cache;
    const caches = new ResourceCaches({ log, clock, maxBytes, snapshotFolder: snapshots, knownType });
    await caches.load((edge) => directory.admission(edge) === 'allowed');
    lifecycle.onClose('cache', () => caches.close(), { deadlineMs: 60_000 });

    let ready = false;
    let toldTargets = '';
    let toldRevoked = '[]';
    const ticker = new Ticker(clock);
    const instance = randomUUID();
    const { handshakeMs } = limits;
    const issuers = (): readonly X509Certificate[] => own.vouchedIssuers;
    const expiry = new PeerExpiry({ clock, wallClock: Date.now, issuers, handshakeMs, onFault });
    lifecycle.onClose('expiry', () => expiry.close());
    own.onRootLeft(() => expiry.rootLeft());
    const refusalOf = (peer: Peer): CodedError | undefined => revocations.refusal(peer.identity, peer);
    const peering = new Peering({
      store,
      self: { site: config.site, name: config.name },
      instance,
      dial: (replica, target) => dialPeer(replica, target, credentials, refusalOf),
      refusal: refusalOf,
      expiry,
      attach: (_replica, link) => {
        const user = tunnelSwitch.attach(link);
        router.addReplica(link);
        return {
          onFrame: (frame) => user.onFrame(frame),
          onClose: (reason) => {
            user.onClose(reason);
            router.removeReplica(link);
          },
        };
      },
      cut: (link, reason) => {
        tunnelSwitch.cut(link, reason);
        link.close(reason);
        log.warn('peer-link-cut', { link: link.id, remote: link.remote, code: reason.code, reason: reason.message });
      },
      clock,
      ticker,
      limits,
      log,
      onEdge: (edge) => {
        const reach = registry.reach(edge);
        door.supersede(edge, peering.epochOf(edge));
        if (reach !== undefined && peering.isElsewhere(edge, reach)) registry.yield(edge);
        locator.changed(edge);
      },
      onPeers: () => {
        locator.changedAll();
        replicaObjects.show(peering.replicas.values(), peering.revision);
        tellTargets();
      },
      onFault,
    });
    // Where the start fails; else it has been closed by then, see below.
    lifecycle.onClose('peers', () => peering.close());
    const tunnelSwitch = new Switch({
      clock,
      limits,
      route: (...asked) => router.route(...asked),
      onPassed: (passage) => router.passed(passage),
    });
    const registry = new EdgeRegistry({
      clock,
      wallClock: Date.now,
      switch: tunnelSwitch,
      onChange: (edge) => edgeChanged(edge),
    });
    const locator = new EdgeLocator({
      clock,
      holdMs: limits.openWithinMs,
      find: (edge) => peering.portTo(edge, registry.reach(edge)),
    });
    lifecycle.onClose('locator', () => locator.close());
    const certificates = new LinkCertificates();
    const facts = new EdgeFacts({
      directory,
      certificates,
      peering,
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
    const endpoint = new Endpoint({
      clock,
      limits,
      pool: tunnelSwitch.pool,
      onStream: (core) => control.take(new Stream(core)),
    });
    const [frontPort, switchPort] = LoopPort.pair('front', clock, limits);
    frontPort.user = endpoint.attach(frontPort);
    switchPort.user = tunnelSwitch.attach(switchPort);
    lifecycle.onClose('streams', () => {
      endpoint.close(tunnelError('draining'));
      // The links have gone before: nobody is left whom an end could be told.
      frontPort.close(tunnelError('draining'));
    });

    const passages = new PassageAudit({ audit, accessOf });
    const router = new Router({
      directory,
      locator,
      ownLink: (edge) => registry.reach(edge)?.link,
      front: switchPort,
      accessOf,
      revocations,
      audit: passages,
    });
    policyBook.onChange(() => tunnelSwitch.revoke((target) => passingRefusal(accessOf, target)));
    const welcome = () => ({
      version: 1,
      site: config.site,
      replica: config.name,
      replicas: targets(),
      publicListeners: config.advertisePublic,
      ...own.news,
      ...revokedReplicas(),
    });
    const onClients = showReplica;
    const door = new ReplicaDoor({
      directory,
      registry,
      revocations,
      router,
      peering,
      tunnelSwitch,
      audit,
      log,
      welcome,
      onClients,
      certificates,
      onCertificate: edgeChanged,
    });
    const { proxyProtocol } = config.link;
    const listener = new LinkListener({ credentials, door, proxyProtocol, clock, ticker, limits, expiry, audit, log });
    const allMetrics = new Metrics({ processMetrics: true });
    own.onNews(() => {
      for (const link of listener.links.keys()) if (link.open) link.update({ ...own.news });
      showReplica();
    });
    const renewal = new Renewal({
      issuer: own.issuer,
      directory,
      trust: () => credentials.trust,
      renewalTrust: () => own.renewalTrust,
      wantedIssuer: () => own.wantedIssuer,
      refusal: (identity, keyFacts) => revocations.refusal(identity, keyFacts),
      audit,
      graceMs: config.issuer?.graceMs ?? 0,
      wallClock: Date.now,
    });
    const control = new ControlEndpoint({ renewal, trust: () => credentials.trust, clock, log });
    const metrics = new ReplicaMetrics(allMetrics, { tunnelSwitch, registry, endpoint, listener, router });
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
    registerRevocationMetrics(allMetrics, revocations);
    registerAuditMetrics(allMetrics, audit);
    const auditEndpoint = new AuditEndpoint({ audit, clock, onError: onFault });

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
    const peers = new ApiPeers({ credentials, revocations, expiry, wallClock: Date.now });
    revocations.onChange(() => {
      listener.review();
      peers.review();
      peering.review();
      tellRevoked();
      // What others opened by way of another replica.
      tunnelSwitch.revoke(({ principal }) => revocations.nameRefusal(principal));
    });
    directory.onChange((edge) => {
      listener.review(`edge/${edge}`);
      if (directory.admission(edge) === 'allowed') return;
      registry.cut(edge);
      // Streams to it by way of another replica, which may not have heard of it yet.
      tunnelSwitch.revoke((target) => (target.edge === edge ? tunnelError('edge-cut', { detail: edge }) : undefined));
      locator.refuse(edge, tunnelError('edge-denied', { detail: edge }));
      // Off the whitelist: what it said is not shown any more.
      feeds.forget(edge).catch(onFault);
    });
    // What this replica saw before its process ended, or did not see since.
    for (const { metadata, status: known } of directory.edges)
      if (known?.links.some(({ replica }) => replica === self) === true) status.changed(metadata.name);

    const emergency = new EmergencyApi({ denials, replica: self, audit });
    const { issuer } = own;
    const { edgeNodes: nodes, joinTokens: tokens } = fleet;
    const tokenDesk = new TokenDesk({
      store,
      tokens,
      credentials,
      publicListeners: config.advertisePublic,
      publicPort: () => ports.public,
      audit,
      log,
    });
    lifecycle.onClose('token desk', () => tokenDesk.close());
    const enrolment = new Enrolment({
      store,
      nodes,
      tokens,
      issuer,
      trust: () => credentials.trust,
      refusal: (edge, keyPin) =>
        bans.some((ban) => ban.denies(edge))
          ? tunnelError('edge-denied', { detail: edge })
          : revocations.keyRefusal(keyPin),
      gateways: config.advertise,
      linkPort: () => ports.link,
      audit,
      log,
    });
    const requests = new RequestAudit({ audit, clock, accessOf, principalAt: (socket) => peers.nameAt(socket) });
    const api = createApiListener({
      requests,
      credentials,
      peers,
      isDraining: () => !ready,
      opener,
      accessOf,
      reviews: new Reviews(policyBook),
      kube: edgeKube,
      onDone: (target, outcome) => metrics.requestDone(target, outcome),
      openPaths: (request, response, path) =>
        answerHealth(request, response, path, () => ready) || answerTrust(response, path, credentials.trust),
      paths: (request, response, path, access) => {
        if (fleetKube.answer(request, response, path, access)) return true;
        const ordered = emergency.answer(request, response, path, access);
        if (ordered !== false) return ordered;
        if (auditEndpoint.answer(request, response, path, access)) return true;
        const made = tokenDesk.answer(request, response, path, access);
        if (made !== false) return made;
        if (path === metricsPath) {
          requirePath(access, path);
          metrics.answer(response);
        } else if (path === '/version') answerJson(response, 200, versionInfo());
        else return fleet.answer(request, response, access);
        return true;
      },
      log,
    });
    const open = createPublicListener({
      credentials,
      openPaths: (request, response, path) => answerHealth(request, response, path, () => ready),
      paths: {
        ...publicFiles({ trust: () => credentials.trust, agentFiles: config.agentFiles }),
        [enrolPath]: { method: 'POST', answer: (body, remote) => enrolment.enrol(body, remote), told: provenCodes },
        [renewPath]: renewalPath(renewal),
      },
      clock,
      log,
    });

    welcomeAtRequest(api, { clock, handshakeMs });
    // Of the connections that it takes, half at most are left to the silent.
    welcomeAtRequest(open, { clock, handshakeMs, most: 500, bodiesToo: true });
    if (config.api.proxyProtocol === 'v1v2') requireProxyHeaders(api, log);
    if (config.public.proxyProtocol === 'v1v2') requireProxyHeaders(open, log);
    // Those that are open go on with what they were opened with.
    credentials.onChange(() => {
      for (const server of [listener.server, api]) server.setSecureContext(secureContextOf(credentials));
    });
    const sockets = {
      link: new OpenSockets(listener.server),
      api: new OpenSockets(api),
      public: new OpenSockets(open),
    };
    await peering.open();
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
    // The others look elsewhere from now on.
    lifecycle.onClose('peers', () => peering.close());
    // While there are links yet, so that agents hear of it and have nothing to wait for.
    lifecycle.onClose('feeds', () => feeds.close());
    lifecycle.onClose('api listener', () => sockets.api.drain(clock, config.drainMs), {
      deadlineMs: config.drainMs + 2000,
    });
    // Before the API listener waits for its requests to end: these never do.
    lifecycle.onClose('audit followers', () => audit.endFollowers());
    lifecycle.onClose('hand-over', () => (peering.replicas.size > 1 ? listener.handOver(HAND_OVER_MS) : undefined), {
      deadlineMs: HAND_OVER_MS + 1000,
    });
    // Load balancers are to notice, and take new connections elsewhere, before any is refused.
    lifecycle.onClose('readiness', () => until(clock, config.drainDelayMs), { deadlineMs: config.drainDelayMs + 1000 });
    lifecycle.onClose('drain', () => {
      ready = false;
    });
    ready = true;
    await peering.show(ownRecord());
    log.info('replica-started', { site: config.site, replica: config.name, ports });
    return { name: config.name, ports, reload: () => own.reload(), close: (reason) => lifecycle.close(reason) };

    async function openConfigured(): Promise<Store> {
      const opened = await openStore(config.store, {
        clock,
        onFault: (error) => log.warn('store-watch-broken', { error }),
      });
      lifecycle.onClose('store', () => opened.close());
      return opened;
    }

    function edgeChanged(edge: string): void {
      const reach = registry.reach(edge);
      peering.showEdge(edge, reach === undefined ? undefined : { epoch: reach.epoch, turn: reach.turn });
      locator.changed(edge);
      status.changed(edge);
      feeds.edgeChanged(edge);
      showReplica();
    }

    /** Where agents and SDKs can dial links: of every replica that the store knows, its own as configured. */
    function targets(): readonly { readonly address: string; readonly site: string }[] {
      const { site, advertise } = config;
      const others = [...peering.replicas.values()].filter((record) => replicaId(record) !== self);
      return [{ site, advertise }, ...others]
        .toSorted((one, other) => one.site.localeCompare(other.site))
        .flatMap((record) => record.advertise.map((address) => ({ address, site: record.site })));
    }

    /** Links hear of it once, when the list has changed. */
    function tellTargets(): void {
      const told = JSON.stringify(targets());
      if (told === toldTargets) return;
      toldTargets = told;
      for (const link of listener.links.keys()) if (link.open) link.update({ replicas: targets() });
    }

    /** Agents and other dialers cannot ask whether a replica is revoked: those that they reach tell them of the others. */
    function revokedReplicas(): { readonly revokedReplicas?: readonly string[] } {
      const { ofReplicas } = revocations;
      return ofReplicas.length === 0 ? {} : { revokedReplicas: ofReplicas };
    }

    /** Links hear of it once, when the list has changed: also that it is empty. */
    function tellRevoked(): void {
      const { ofReplicas } = revocations;
      const told = JSON.stringify(ofReplicas);
      if (told === toldRevoked) return;
      toldRevoked = told;
      for (const link of listener.links.keys()) if (link.open) link.update({ revokedReplicas: ofReplicas });
    }

    /** What all replicas are told of this one. */
    function ownRecord(): OwnRecord {
      const host = config.link.host === '0.0.0.0' ? hostname() : config.link.host;
      return {
        version,
        address: config.link.address ?? `${host}:${ports.link}`,
        advertise: config.advertise,
        ports,
        links: listener.links.size,
        edges: registry.online,
        ...own.shown,
      };
    }

    function showReplica(): void {
      if (ready) peering.showSoon(ownRecord);
    }

    /** As kubectl reads it, and who answers. */
    function versionInfo(): Readonly<Record<string, string>> {
      const { site, name } = config;
      const info = versionDocument({ kubernetes: kubernetesRelease, causeway: version });
      return { ...info, causeway: version, site, replica: name };
    }
  }
}

function until(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
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
