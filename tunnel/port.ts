import type { CodedError } from '../base/index.ts';
import type {
  Channel,
  CreditFrame,
  DataFrame,
  DetachFrame,
  FinFrame,
  OpenFrame,
  RefuseFrame,
  ResetFrame,
  StreamClass,
  StreamFrame,
} from './frame.ts';

/** Frames that go before any data of their stream. */
export type PromptFrame = CreditFrame | RefuseFrame | ResetFrame | DetachFrame;

/** One channel's outgoing side: a port asks it for frames when its turn comes. */
export interface Source {
  /** As the opener asked; the scheduler may treat it as bulk when it behaves so. */
  readonly class: StreamClass;
  /** The next frame, with at most `maxBytes` of data; undefined when there is nothing for now. */
  next(maxBytes: number): OpenFrame | DataFrame | FinFrame | undefined;
  /** The channel's acknowledgement and credit as they stand now; undefined when there is nothing to tell. */
  takeCredit(): CreditFrame | undefined;
}

/**
 * One end of a link as an endpoint or a switch sees it. Frames that were handed over arrive in order or not at all;
 * when the port closes nobody knows which did.
 */
export interface Port {
  /** Names the link in logs. */
  readonly id: string;
  /** Nothing can be sent any more. */
  readonly closed: boolean;
  /** A number for a channel that this side opens; to be taken when its OPEN or RESUME is handed over, since the peer requires them to rise. */
  nextChannel(): Channel;
  /** Sends before data. */
  send(frame: PromptFrame): void;
  /** The source has something to send. */
  ready(source: Source): void;
  /** The source has something to acknowledge; when it is not urgent it waits a little for other frames to ride along with. */
  credit(source: Source, urgent: boolean): void;
  /** The source sends nothing any more. */
  remove(source: Source): void;
  /** Someone waits for the peer: find out now whether the link lives. */
  probe(): void;
  /** Closes the link; the reason is told to the peer. */
  close(reason: CodedError): void;
}

/** Who takes what arrives at a port. */
export interface PortUser {
  /** A frame of a channel that is or was open, or an OPEN or RESUME of a new one. */
  onFrame(frame: StreamFrame): void;
  /** The port is closed; called once. */
  onClose(reason: CodedError): void;
}
