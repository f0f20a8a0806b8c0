import {
  CodedError,
  isDnsLabel,
  messageOf,
  silentLog,
  systemClock,
  watchFiles,
  type Clock,
  type Log,
  type Timer,
} from '../../base/index.ts';
import { type KindStream, tunnelError } from '../../tunnel/index.ts';
import { AddressList, parseHostPort, type HostPort, type Lookup } from './address-list.ts';
import { HttpService } from './http-service.ts';
import { serveHttp } from './serve-http.ts';
import { serveTcp } from './serve-tcp.ts';
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  type ServiceConfig,
  type ServicesConfig,
  type TcpServiceConfig,
} from './service-config.ts';
import { serviceError } from './service-error.ts';
import type { UpstreamPool } from './upstream-pool.ts';

type Service =
  | { readonly kind: 'http'; readonly http: HttpService }
  | { readonly kind: 'tcp'; readonly address: HostPort; readonly connectTimeoutMs: number };

export interface ServiceTableOptions {
  /** Default the system's resolver. */
  readonly lookup?: Lookup;
  /** Of the watch of credentials' files. */
  readonly clock?: Clock;
  readonly log?: Log;
}

/**
 * What callers can reach at this edge: the services and addresses that its owner declared, and nothing else, whoever asks.
 * A table does not change, except that files of credentials are read again when they change; a new configuration is a new table,
 * and the old one is closed.
 */
export class ServiceTable {
  readonly #services = new Map<string, Service>();
  readonly #addresses: AddressList;
  readonly #watch: Timer | undefined;

  /** Throws `service-invalid` or `address-invalid`, naming the entry. */
  constructor(
    { services, addresses = [] }: ServicesConfig,
    { lookup, clock = systemClock, log = silentLog }: ServiceTableOptions = {},
  ) {
    this.#addresses = new AddressList(addresses, lookup);
    for (const config of services) {
      if (!isDnsLabel(config.name))
        throw serviceError('service-invalid', { detail: `${JSON.stringify(config.name)} is not a name` });
      if (this.#services.has(config.name))
        throw serviceError('service-invalid', { detail: `${config.name} is declared twice` });
      this.#services.set(config.name, createService(config));
    }
    const files = this.#https().flatMap((service) => service.files);
    if (files.length > 0) this.#watch = watchFiles(clock, files, () => this.#reload(log));
  }

  /** What the agent tells replicas that it serves. */
  get services(): readonly { readonly name: string; readonly kind: ServiceConfig['kind'] }[] {
    return Array.from(this.#services, ([name, { kind }]) => ({ name, kind }));
  }

  /** The declared HTTP service of this name. Throws `service-invalid` when there is none. */
  http(name: string): HttpService {
    const service = this.#services.get(name);
    if (service?.kind !== 'http')
      throw serviceError('service-invalid', { detail: `${name} is no service of kind http` });
    return service.http;
  }

  /** Takes a stream of kind `http` or `tcp`, or refuses it: `service-unknown`, `address-denied`, `kind-unknown`. */
  dispatchStream(stream: KindStream): void {
    const { kind, service: name, path } = stream.target;
    const service = this.#services.get(name);
    if (kind === 'http') {
      if (service?.kind === 'http') serveHttp(stream, service.http);
      else stream.refuse(unknown(name, service, kind));
    } else if (kind === 'tcp') {
      if (name === '') void this.#dialAddress(stream, path);
      else if (service?.kind === 'tcp') serveTcp(stream, service.address, service.connectTimeoutMs);
      else if (service?.http.config.allowConnect === true)
        serveTcp(stream, hostPortOf(service.http), service.http.connectTimeoutMs);
      else stream.refuse(unknown(name, service, kind));
    } else {
      stream.refuse(tunnelError('kind-unknown', { detail: kind }));
    }
  }

  /** Resolves when what runs has ended. May be called twice. */
  async close(): Promise<void> {
    this.#watch?.cancel();
    await Promise.all(this.#pools().map((pool) => pool.close()));
  }

  /** Cuts what runs. */
  async destroy(error: CodedError = tunnelError('endpoint-closed')): Promise<void> {
    this.#watch?.cancel();
    for (const pool of this.#pools()) await pool.destroy(error);
  }

  async #dialAddress(stream: KindStream, text: string): Promise<void> {
    // The opener may go away while a name is looked up.
    stream.on('error', ignore);
    try {
      const target = await this.#addresses.resolve(text);
      if (!stream.destroyed) serveTcp(stream, target, DEFAULT_CONNECT_TIMEOUT_MS);
    } catch (error) {
      const refusal =
        error instanceof CodedError
          ? error
          : tunnelError('upstream-refused', { detail: messageOf(error), cause: error });
      if (!stream.destroyed) stream.refuse(refusal);
    }
  }

  #pools(): UpstreamPool[] {
    return this.#https().map(({ upstream }) => upstream.pool);
  }

  #https(): HttpService[] {
    return [...this.#services.values()].flatMap((service) => (service.kind === 'http' ? [service.http] : []));
  }

  /** A file that cannot be used is told of, and what was read before stays in use. */
  #reload(log: Log): void {
    for (const service of this.#https()) {
      try {
        if (service.reload()) log.info('credentials-reloaded', { service: service.config.name });
      } catch (error) {
        log.error('credentials-reload-failed', { service: service.config.name, error });
      }
    }
  }
}

function createService(config: ServiceConfig): Service {
  if (config.kind === 'http') return { kind: 'http', http: new HttpService(config) };
  return {
    kind: 'tcp',
    address: addressOf(config),
    connectTimeoutMs: config.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
  };
}

function addressOf({ name, address }: TcpServiceConfig): HostPort {
  const parsed = parseHostPort(address);
  if (parsed === undefined) throw serviceError('service-invalid', { detail: `${name}: address: ${address}` });
  return parsed;
}

function hostPortOf({ upstream }: HttpService): HostPort {
  return { host: upstream.hostname, port: upstream.port };
}

/** Bytes to an HTTP service would pass by what is checked of its requests: where its owner does not allow that, it is as good as none. */
function unknown(name: string, service: Service | undefined, kind: string): CodedError {
  const detail = service === undefined ? name : `${name} is of kind ${service.kind}, not ${kind}`;
  return tunnelError('service-unknown', { detail });
}

function ignore(): void {
  // `close` follows and is what counts.
}
