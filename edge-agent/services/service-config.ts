/** An HTTP server that the edge's owner declares. */
export interface HttpServiceConfig {
  readonly name: string;
  readonly kind: 'http';
  /** `http://host:port` or `https://host:port`; a path in it is put before each request's path. Missing only beside `kubeconfig`. */
  readonly url?: string;
  /**
   * For a Kubernetes API: a file whose current context says the server, its CA, and a token, a token file or a client certificate.
   * In place of `url`, `tokenFile` and `tls`. It runs no program: `exec` is refused.
   */
  readonly kubeconfig?: string;
  /** A file with a token: each request gets `Authorization: Bearer`. */
  readonly tokenFile?: string;
  /** A unix socket to connect to in place of the URL's host. */
  readonly socketPath?: string;
  /** For `https`. The server's certificate is always verified. */
  readonly tls?: {
    /** PEM; default the system's roots. */
    readonly ca?: string;
    /** The name that the certificate has to have; default the URL's host. */
    readonly servername?: string;
    /** The agent's own certificate towards the service, PEM. */
    readonly cert?: string;
    readonly key?: string;
    /** Files in place of the texts. */
    readonly caFile?: string;
    readonly certFile?: string;
    readonly keyFile?: string;
  };
  /**
   * Fields that the agent sets on each request, credentials for instance; what a caller sends under these names is dropped.
   * They never leave the edge.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Lets the `Authorization` of callers through, for a service that knows its callers itself. Default false. Excluded where the agent
   * has credentials of its own for the service.
   */
  readonly passAuthorization?: boolean;
  /** A field that tells the service who calls (`Impersonate-User`, `X-Remote-User`): it is set to the stream's principal. */
  readonly principalHeader?: string;
  /**
   * For a Kubernetes API: it sees the stream's principal as the user (`Impersonate-User`), so that the edge's own RBAC decides what
   * that one may. The agent's credentials need the right to impersonate users. Excludes `principalHeader` and `allowConnect`.
   * Default false: whoever may call has the rights of the agent's credentials.
   */
  readonly impersonate?: boolean;
  /** Default 10,000; then `upstream-timeout`, and nothing was executed. */
  readonly connectTimeoutMs?: number;
  /** From the end of the request to the answer's head. Default 300,000; 0 waits for ever. Then `upstream-timeout`. */
  readonly headTimeoutMs?: number;
  /** Silence within an answer. Default 0, wait for ever, since watches and event streams may be silent. Then `upstream-timeout`. */
  readonly silenceTimeoutMs?: number;
  /**
   * Lets TCP streams reach the service as well (`port-forward`, gRPC). They pass by what the agent checks, strips and injects
   * of HTTP requests. Default false; only for `http://` URLs.
   */
  readonly allowConnect?: boolean;
  /** Connections at once; more requests wait for one. Default 1024: each watch holds one. */
  readonly maxConnections?: number;
}

/** A TCP server that the edge's owner declares. */
export interface TcpServiceConfig {
  readonly name: string;
  readonly kind: 'tcp';
  /** `host:port`, `[v6]:port`. */
  readonly address: string;
  /** Default 10,000; then `upstream-timeout`. */
  readonly connectTimeoutMs?: number;
}

export type ServiceConfig = HttpServiceConfig | TcpServiceConfig;

export interface ServicesConfig {
  readonly services: readonly ServiceConfig[];
  /**
   * Addresses that may be dialed without being a service: `10.0.0.0/8:22`, `[fd00::/8]:443`, `10.0.0.7:*`, `db.local:5432`,
   * `localhost:8080`. Default none. See `AddressList`.
   */
  readonly addresses?: readonly string[];
}

export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/**
 * Options of a connection to a service: it holds one read, up to 64 KiB, of what its stream does not take yet, and no second one.
 * Node takes the option, though its types do not know it.
 */
export const readAhead: object = { highWaterMark: 16 * 1024 };
