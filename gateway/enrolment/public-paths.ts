import type { ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';

/** What stands at a path of the public listener. */
export type PublicPath =
  /** Something that anybody may have. */
  | { readonly method: 'GET'; readonly answer: (response: ServerResponse) => void | Promise<void> }
  /**
   * JSON in, JSON out, for who has no certificate. What it throws is logged and not told, save whether to come back: 429 and 503.
   * Attempts are limited, those that turn out well cost nothing. `told`: codes that are told as they are, since they come after
   * the asker has proved who he is.
   */
  | {
      readonly method: 'POST';
      readonly answer: (body: unknown, remote: string, socket: TLSSocket) => Promise<object>;
      readonly told?: readonly string[];
    };

/** Each path with what stands there; there is nothing else. */
export type PublicPaths = Readonly<Record<string, PublicPath>>;
