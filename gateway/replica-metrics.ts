import type { ServerResponse } from 'node:http';
import type { CounterMetric, Metrics } from '../base/index.ts';
import type { Endpoint, StreamTarget, Switch } from '../tunnel/index.ts';
import type { EdgeRegistry } from './edge-registry.ts';
import type { ExchangeOutcome } from './front/index.ts';
import type { LinkListener } from './link-listener.ts';
import type { Router } from './router.ts';

export interface MetricSources {
  readonly tunnelSwitch: Switch;
  readonly registry: EdgeRegistry;
  readonly endpoint: Endpoint;
  readonly listener: LinkListener;
  readonly router: Pick<Router, 'notHere'>;
}

/** What a replica counts. Most is read where it is kept, when it is asked for; `docs/operations.md` says what each means. */
export class ReplicaMetrics {
  readonly #metrics: Metrics;
  readonly #requests: CounterMetric;
  readonly #requestBytes: CounterMetric;

  constructor(metrics: Metrics, { tunnelSwitch, registry, endpoint, listener, router }: MetricSources) {
    this.#metrics = metrics;
    const read = (name: string, help: string, value: () => number): void => {
      metrics.gauge({ name, help, collect: (gauge) => gauge.set(value()) });
    };
    read('causeway_edges_online', 'Edges with a link to this replica', () => registry.online);
    read('causeway_links', 'Links to this replica, of edges and clients', () => listener.links.size);
    read('causeway_switch_streams', 'Streams that pass through the switch', () => tunnelSwitch.crossings);
    read('causeway_switch_queue_bytes', 'Bytes that wait in the switch', () => tunnelSwitch.queuedBytes);
    read(
      'causeway_switch_shed_streams',
      'Streams detached since the start because memory was short',
      () => tunnelSwitch.shed,
    );
    read(
      'causeway_not_here',
      'Streams that other replicas have sent here since the start for edges without a link here',
      () => router.notHere,
    );
    read('causeway_switch_bytes_to_edges', 'Bytes of ended streams that went to edges', () => tunnelSwitch.bytesUp);
    read(
      'causeway_switch_bytes_from_edges',
      'Bytes of ended streams that came from edges',
      () => tunnelSwitch.bytesDown,
    );
    read('causeway_front_streams', 'Streams that the HTTP front holds', () => endpoint.streams);
    read(
      'causeway_front_detached_streams',
      'Streams of the HTTP front that look for a path',
      () => endpoint.detachedStreams,
    );
    read(
      'causeway_front_retained_bytes',
      'Bytes that the HTTP front keeps for replay and for readers',
      () => endpoint.retainedBytes,
    );
    read('causeway_window_free_bytes', 'What windows may still grow by', () => tunnelSwitch.pool.freeBytes);
    this.#requests = metrics.counter({
      name: 'causeway_requests',
      help: 'Requests to edges, by status class and code',
      labels: ['class', 'code'],
    });
    this.#requestBytes = metrics.counter({
      name: 'causeway_request_bytes',
      help: 'Bytes of bodies, by direction',
      labels: ['direction'],
    });
  }

  requestDone(_target: StreamTarget, { status, code, requestBytes, responseBytes }: ExchangeOutcome): void {
    this.#requests.add(1, { class: `${Math.floor(status / 100)}xx`, code: code ?? 'ok' });
    if (requestBytes > 0) this.#requestBytes.add(requestBytes, { direction: 'up' });
    if (responseBytes > 0) this.#requestBytes.add(responseBytes, { direction: 'down' });
  }

  answer(response: ServerResponse): void {
    this.#metrics.text().then(
      (text) => {
        response.writeHead(200, { 'Content-Type': this.#metrics.contentType });
        response.end(text);
      },
      () => response.writeHead(500).end(),
    );
  }
}
