import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Values of a metric's labels. Only from small closed sets: each combination is kept for good. */
export type MetricLabels = Readonly<Record<string, string | number>>;

export interface CounterMetric {
  add(value?: number, labels?: MetricLabels): void;
}

export interface GaugeMetric {
  set(value: number, labels?: MetricLabels): void;
  add(value: number, labels?: MetricLabels): void;
  /** Forgets one combination of labels. */
  remove(labels: MetricLabels): void;
}

export interface HistogramMetric {
  observe(value: number, labels?: MetricLabels): void;
}

export interface MetricOptions {
  /** The unit stands at the name's end: `causeway_link_rtt_seconds`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface GaugeOptions extends MetricOptions {
  /** Called when the metrics are read, to set the value then: what is known anyway needs no counting. */
  readonly collect?: (gauge: GaugeMetric) => void;
}

export interface HistogramOptions extends MetricOptions {
  /** Upper bounds, ascending. Default: 1 ms to 10 s, for durations in seconds. */
  readonly buckets?: readonly number[];
}

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The metrics of one process or one part, in Prometheus' text format. Registering a name twice is an error. */
export class Metrics {
  readonly #registry = new Registry();

  /** `processMetrics` adds CPU, memory, event loop lag and garbage collection; they are watched from then on. Default false. */
  constructor({ processMetrics = false }: { readonly processMetrics?: boolean } = {}) {
    if (processMetrics) collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything, as a scrape reads it. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  counter({ name, help, labels = [] }: MetricOptions): CounterMetric {
    const counter = new Counter({ name, help, labelNames: labels, registers: [this.#registry] });
    return { add: (value = 1, at) => (at === undefined ? counter.inc(value) : counter.inc(at, value)) };
  }

  gauge({ name, help, labels = [], collect }: GaugeOptions): GaugeMetric {
    const gauge = new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      ...(collect === undefined ? {} : { collect: () => collect(metric) }),
    });
    const metric: GaugeMetric = {
      set: (value, at) => (at === undefined ? gauge.set(value) : gauge.set(at, value)),
      add: (value, at) => (at === undefined ? gauge.inc(value) : gauge.inc(at, value)),
      remove: (at) => gauge.remove(at),
    };
    return metric;
  }

  histogram({ name, help, labels = [], buckets = durationBuckets }: HistogramOptions): HistogramMetric {
    const histogram = new Histogram({
      name,
      help,
      labelNames: labels,
      buckets: [...buckets],
      registers: [this.#registry],
    });
    return { observe: (value, at) => (at === undefined ? histogram.observe(value) : histogram.observe(at, value)) };
  }
}
