import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CodedError } from '../../base/index.ts';
import {
  encodeRequestHead,
  type HttpResponseHead,
  type KindStream,
  type KindStreamOpener,
  splice,
  StreamClass,
  type StreamTarget,
  type Traffic,
} from '../../tunnel/index.ts';
import { connectThrough } from './connect-tunnel.ts';
import { Exchange, type ExchangeOutcome } from './exchange.ts';
import { codedFailure, responseOn, sendFailure } from './failure.ts';
import { forwardedRequest, hasBody, switchedResponse, type RequestTraits } from './forwarded-head.ts';
import { frontError } from './front-error.ts';
import { routeOf, routeOfAuthority, type Route, type ServiceRoute } from './route.ts';

export interface FrontOptions {
  readonly opener: KindStreamOpener;
  /** Names the authenticated caller of a request; throws a coded error when there is none. Called once a request. */
  readonly principalOf: (request: IncomingMessage) => string;
  /** Throws a coded error (`denied`) when the caller may not. Default: whatever the opener decides. */
  readonly policy?: (target: StreamTarget, request: IncomingMessage) => void;
  /**
   * The fields, in lower case, that authenticated the caller to *us* and so must not reach an edge. Default `authorization`
   * alone, always: a caller's token in the hands of an edge is the caller. Give a function that tells, to let the
   * `Authorization` of callers with a certificate through.
   */
  readonly ownHeaders?: (request: IncomingMessage) => readonly string[];
  /** Told how each request ended. */
  readonly onDone?: (target: StreamTarget, outcome: ExchangeOutcome, request: IncomingMessage) => void;
}

/**
 * What an HTTP server hands its requests to. `request`, `checkContinue` and `upgrade` answer whether the request was for an
 * edge; when it was not, nothing has been done and the caller goes on. `connect` takes all.
 */
export interface Front {
  /** `instead` answers when the edge does not, or with 500, 502, 503 or 504. */
  request(request: IncomingMessage, response: ServerResponse, instead?: (failure: CodedError) => void): boolean;
  checkContinue(request: IncomingMessage, response: ServerResponse): boolean;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  connect(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** For node's `shouldUpgradeCallback`: an `Upgrade` that a server may ignore is treated as a plain request. */
  shouldUpgrade(request: IncomingMessage): boolean;
}

const OWN_HEADERS = ['authorization'];

/** The HTTP front of a replica: each request for an edge becomes one stream. */
export function createFront(options: FrontOptions): Front {
  return {
    request: (request, response, instead) => forward(options, request, response, { expectContinue: false }, instead),
    checkContinue: (request, response) => forward(options, request, response, { expectContinue: true }),
    upgrade: (request, socket, head) => forwardUpgrade(options, request, socket, head),
    connect: (request, socket, head) => forwardConnect(options, request, socket, head),
    shouldUpgrade: (request) => !hasBody(request) && !/^(?:h2c|tls\/)/i.test(request.headers.upgrade ?? ''),
  };
}

function forward(
  options: FrontOptions,
  request: IncomingMessage,
  response: ServerResponse,
  traits: RequestTraits,
  instead?: (failure: CodedError) => void,
): boolean {
  return answering(
    () => response,
    () => {
      const route = routeOf(request.url ?? '');
      if (route === undefined) return false;
      const head = forwardedRequest(request, route, traits, ownHeaders(options, request));
      const stream = openService(options, request, route, encodeRequestHead(head));
      exchange(request, response, stream, {
        body: head.body === true,
        instead,
        onDone: doneFor(options, stream, request),
      });
      return true;
    },
  );
}

function forwardUpgrade(options: FrontOptions, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
  socket.on('error', ignore);
  return answering(
    () => responseOn(request, socket),
    () => {
      const route = routeOf(request.url ?? '');
      if (route === undefined) return false;
      if (hasBody(request)) throw frontError('upgrade-with-body');
      const upgrade = request.headers.upgrade ?? '';
      const requestHead = forwardedRequest(
        request,
        route,
        { expectContinue: false, upgrade },
        ownHeaders(options, request),
      );
      const stream = openService(options, request, route, encodeRequestHead(requestHead));
      // What the client sent early belongs to the new protocol.
      if (head.length > 0) socket.unshift(head);
      const response = responseOn(request, socket);
      const onSwitch = (switched: HttpResponseHead, rest: Buffer): Traffic => {
        response.writeHead(101, switched.statusText, switchedResponse(switched, upgrade));
        release(response, socket);
        if (rest.length > 0) socket.write(rest);
        return splice(stream, socket);
      };
      exchange(request, response, stream, { body: false, onSwitch, onDone: doneFor(options, stream, request) });
      return true;
    },
  );
}

function forwardConnect(options: FrontOptions, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', ignore);
  answering(
    () => responseOn(request, socket),
    () => {
      const route = routeOfAuthority(request.url ?? '');
      if (route === undefined) throw frontError('authority-unknown', { detail: request.url ?? '' });
      const target = tcpTarget(options, request, route);
      options.policy?.(target, request);
      const stream = options.opener.open(target, { class: StreamClass.INTERACTIVE });
      if (head.length > 0) socket.unshift(head);
      connectThrough(request, socket, stream, doneFor(options, stream, request));
      return true;
    },
  );
}

/** Whatever is refused before there is a stream is answered here. */
function answering(response: () => ServerResponse, run: () => boolean): boolean {
  try {
    return run();
  } catch (error) {
    sendFailure(response(), codedFailure(error));
    return true;
  }
}

function openService(options: FrontOptions, request: IncomingMessage, route: ServiceRoute, head: Buffer): KindStream {
  const target: StreamTarget = {
    edge: route.edge,
    service: route.service,
    kind: 'http',
    verb: request.method ?? 'GET',
    path: route.path,
    principal: options.principalOf(request),
  };
  options.policy?.(target, request);
  return options.opener.open(target, { head, class: StreamClass.INTERACTIVE });
}

function tcpTarget(options: FrontOptions, request: IncomingMessage, route: Route): StreamTarget {
  return {
    edge: route.edge,
    service: route.to === 'service' ? route.service : '',
    kind: 'tcp',
    verb: 'connect',
    path: route.to === 'address' ? route.address : '',
    principal: options.principalOf(request),
  };
}

function exchange(...[request, response, stream, options]: ConstructorParameters<typeof Exchange>): void {
  // oxlint-disable-next-line no-new -- it lives as long as its stream
  new Exchange(request, response, stream, options);
}

function ownHeaders(options: FrontOptions, request: IncomingMessage): readonly string[] {
  return options.ownHeaders === undefined ? OWN_HEADERS : options.ownHeaders(request);
}

function doneFor(
  { onDone }: FrontOptions,
  stream: KindStream,
  request: IncomingMessage,
): ((outcome: ExchangeOutcome) => void) | undefined {
  return onDone === undefined ? undefined : (outcome) => onDone(stream.target, outcome, request);
}

/** Writes a head and takes the connection from its response. */
function release(response: ServerResponse, socket: Duplex): void {
  response.flushHeaders();
  response.detachSocket(socket as Parameters<ServerResponse['detachSocket']>[0]);
}

function ignore(): void {
  // The response's `close` follows and is what counts.
}
