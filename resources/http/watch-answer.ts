import type { ServerResponse } from 'node:http';
import { statusOf } from '../../api/index.ts';
import type { Clock, Timer } from '../../base/index.ts';
import type { ObjectWatch, WatchEvent } from '../collection/collection.ts';
import { beginAnswer, type AnswerHeaders } from './answer.ts';
import { eventLine } from './json-parts.ts';
import { PacedResponse } from './paced-response.ts';
import type { Rendering } from './rendering.ts';
import { watchTurns } from './turn-queue.ts';

/** Events that are read at a time, and bytes after which they are written. */
const eventsPerRead = 32;
const batchBytes = 64 * 1024;
/** How often a client that asked for it hears how far its watch has come. */
const bookmarkMs = 60_000;

/** The annotation of the bookmark behind the objects that there were in the beginning. */
const initialEventsEnd = { 'k8s.io/initial-events-end': 'true' };

export interface WatchAnswerOptions {
  readonly response: ServerResponse;
  readonly rendering: Rendering;
  readonly headers: AnswerHeaders;
  readonly bookmarks: boolean;
  readonly initialEventsEnd: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * A watch as it goes out: a line of JSON for each event, as fast as the client reads and no faster. What it has not read waits
 * in the collection, which ends the watch when it does not keep it any more: then the last line is an ERROR with a Status.
 *
 * `wake` is what `Collection.watch` wants; `run` begins.
 */
export class WatchAnswer {
  readonly #options: WatchAnswerOptions;
  readonly #clock: Clock;
  readonly #paced: PacedResponse;
  readonly #done = Promise.withResolvers<void>();
  readonly #timers: Timer[] = [];
  readonly #turn = (): void => this.#send();
  #watch: ObjectWatch | undefined;
  #state: 'opening' | 'idle' | 'queued' | 'draining' | 'ended' = 'opening';
  #owesInitialEnd: boolean;
  #owesBookmark = false;

  constructor(options: WatchAnswerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#paced = new PacedResponse(options.response, this.#clock);
    this.#owesInitialEnd = options.initialEventsEnd;
  }

  readonly wake = (): void => {
    if (this.#state === 'idle') this.#queue();
  };

  /** Resolves when the watch has ended, whoever ended it. */
  async run(watch: ObjectWatch): Promise<void> {
    const { response, headers, timeoutMs, bookmarks } = this.#options;
    this.#watch = watch;
    response.on('close', () => this.#end());
    if (this.#paced.isGone) this.#end();
    else {
      beginAnswer(response, 200, 'application/json', headers);
      response.flushHeaders();
      this.#timers.push(this.#clock.after(timeoutMs, () => this.#finish()));
      if (bookmarks) this.#armBookmark();
      this.#queue();
    }
    await this.#done.promise;
  }

  #queue(): void {
    this.#state = 'queued';
    watchTurns.add(this.#turn);
  }

  /** One batch; what is left waits for the socket, or for its next turn. */
  #send(): void {
    if (this.#state !== 'queued' || this.#watch === undefined) return;
    const lines: Buffer[] = [];
    let isAll = false;
    try {
      isAll = this.#collect(this.#watch, lines);
    } catch (error) {
      this.#write([...lines, eventLine('ERROR', Buffer.from(JSON.stringify(statusOf(error))))]);
      return this.#finish();
    }
    const hasRoom = this.#write(lines);
    if (!hasRoom) void this.#drain();
    else if (isAll) this.#state = 'idle';
    else this.#queue();
  }

  /** Returns whether that was all there is for now. Throws what `ObjectWatch.read` throws. */
  #collect(watch: ObjectWatch, lines: Buffer[]): boolean {
    const { rendering } = this.#options;
    let bytes = 0;
    let events: readonly WatchEvent[] = [];
    while (bytes < batchBytes) {
      events = watch.read(eventsPerRead);
      for (const event of events) {
        const line = rendering.event(event);
        bytes += line.length;
        lines.push(line);
      }
      if (this.#owesInitialEnd && watch.isInitialDone) {
        this.#owesInitialEnd = false;
        lines.push(rendering.bookmark(watch.version, initialEventsEnd));
      }
      if (events.length === 0) break;
    }
    const isAll = events.length === 0;
    if (isAll && this.#owesBookmark && watch.isInitialDone) {
      this.#owesBookmark = false;
      lines.push(rendering.bookmark(watch.version));
    }
    return isAll;
  }

  #write(lines: readonly Buffer[]): boolean {
    const [first, ...more] = lines;
    if (first === undefined || this.#paced.isGone) return true;
    const { response } = this.#options;
    // Node would write after the turn, for all watchers of it at once: this way it is part of the turn's time.
    const { socket } = response;
    socket?.cork();
    const hasRoom = response.write(more.length === 0 ? first : Buffer.concat(lines));
    socket?.uncork();
    return hasRoom;
  }

  async #drain(): Promise<void> {
    this.#state = 'draining';
    if ((await this.#paced.drained()) && !this.#isEnded) this.#queue();
  }

  #armBookmark(): void {
    const timer = this.#clock.after(bookmarkMs, () => {
      this.#timers.splice(this.#timers.indexOf(timer), 1);
      this.#owesBookmark = true;
      this.wake();
      this.#armBookmark();
    });
    this.#timers.push(timer);
  }

  /** A good end: the client begins again from the last version that it has seen. */
  #finish(): void {
    this.#paced.end();
    this.#end();
  }

  get #isEnded(): boolean {
    return this.#state === 'ended';
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#state = 'ended';
    watchTurns.remove(this.#turn);
    this.#watch?.close();
    for (const timer of this.#timers) timer.cancel();
    this.#done.resolve();
  }
}
