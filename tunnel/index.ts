export { AcceptorCore } from './acceptor-core.ts';
export { encodeFrame, FrameDecoder } from './codec.ts';
export { Endpoint, type EndpointOptions, type OpenOptions } from './endpoint.ts';
export { FrameType, StreamClass, type Frame, type OpenFrame, type StreamFrame, type StreamTarget } from './frame.ts';
export { defaultLimits, type TunnelLimits } from './limits.ts';
export { Link, type LinkBody, type LinkOptions, type LinkStats, type LinkUser } from './link.ts';
export { LoopPort } from './loop-port.ts';
export { MemoryWire } from './memory-wire.ts';
export { OpenerCore } from './opener-core.ts';
export type { Port, PortUser, Source } from './port.ts';
export { Stream } from './stream.ts';
export type { StreamUser } from './stream-core.ts';
export { Switch, type Passage, type Route, type SwitchOptions } from './switch.ts';
export { Ticker } from './ticker.ts';
export { isTunnelCode, tunnelCodes, tunnelError, tunnelErrorFromWire, type TunnelCode } from './tunnel-error.ts';
export { WindowPool } from './window.ts';
export { type Wire, type WireUser } from './wire.ts';
export { dialLink, dialTarget, proxyFromEnvironment } from './dial-link.ts';
export {
  contentLength,
  decodeRequestHead,
  encodeRequestHead,
  endToEndHeaders,
  endToEndTrailers,
  isIdentityHeader,
  isPlainPath,
  plainHeaderName,
  type HttpRequestHead,
  type HttpResponseHead,
  type RawHeaders,
} from './http-head.ts';
export { RecordReader, RecordWriter, type RecordSink } from './http-record.ts';
export type { KindStream, KindStreamOpener, OpenStreamOptions } from './kind-stream.ts';
export { couple, splice, type Traffic } from './splice.ts';
export { Uplink, type LinkTarget, type UplinkEvent, type UplinkOptions } from './uplink.ts';
export { LINK_PATH, WsAcceptor } from './ws-wire.ts';
