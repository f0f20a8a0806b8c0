/**
 * One HTTP exchange, over whatever leads to an API: mTLS to a replica, a socket at an edge, a function in this process.
 */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

export interface TransportRequest {
  readonly method: string;
  /** Path and query, as they stand in the request line. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Ends the request, and the body of its answer, at any time. */
  readonly signal: AbortSignal;
}

export interface TransportAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: AnswerHeaders;
  /** Fails when the answer was cut off. Leaving the loop early ends the exchange. */
  readonly body: AsyncIterable<Uint8Array>;
}

export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;
