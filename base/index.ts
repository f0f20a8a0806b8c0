export { Backoff, type BackoffOptions } from './backoff.ts';
export { BoundedMap } from './bounded-map.ts';
export { systemClock, type Clock, type Timer } from './clock.ts';
export { CodedError, codeOf, messageOf, type CodedErrorOptions, type ErrorCause } from './coded-error.ts';
export { baseCodes, baseError, type BaseCode } from './base-error.ts';
export { codedError, type CodeDetail, type CodeEntry } from './code-table.ts';
export { environmentName, loadConfig, type ConfigSources } from './config.ts';
export { isDnsLabel, isDnsName } from './dns-label.ts';
export { watchFiles } from './file-watch.ts';
export { Lifecycle, untilSignal, type CloseStepOptions, type LifecycleOptions } from './lifecycle.ts';
export { createLog, silentLog, type Log, type LogFields, type LogLevel, type LogOptions } from './log.ts';
export {
  Metrics,
  type CounterMetric,
  type GaugeMetric,
  type GaugeOptions,
  type HistogramMetric,
  type HistogramOptions,
  type MetricLabels,
  type MetricOptions,
} from './metrics.ts';
export { nearest } from './nearest.ts';
export { repeat } from './repeat.ts';
export { checkRuntime, pinnedRuntime, runtimeFlags } from './runtime-check.ts';
export { validate, z, type SchemaProblem } from './schema.ts';
export { formatYaml, parseYaml, parseYamlDocuments, type YamlProblem, type YamlText } from './yaml.ts';
