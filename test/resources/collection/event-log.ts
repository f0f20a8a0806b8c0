import type { Collection, ObjectWatch, WatchEvent, WatchQuery } from '../../../resources/collection/collection.ts';
import { everything } from '../../../resources/collection/selector.ts';
import { waitFor } from '../../support/wait-for.ts';
import { eventText } from './sample.ts';

/** A watch that is read whenever it wakes, and what it said. */
export class EventLog {
  readonly watch: ObjectWatch;
  readonly events: WatchEvent[] = [];
  error: unknown;

  constructor(watch: ObjectWatch) {
    this.watch = watch;
    this.read();
  }

  static async open(collection: Collection, query: Partial<WatchQuery> = {}): Promise<EventLog> {
    const holder: { log?: EventLog } = {};
    const watch = await collection.watch({ selector: everything, from: 'any', ...query }, () => holder.log?.read());
    return (holder.log = new EventLog(watch));
  }

  /** `ADDED default/a@3` of each event. */
  get texts(): string[] {
    return this.events.map(eventText);
  }

  get versions(): number[] {
    return this.events.map(({ object }) => object.version);
  }

  read(): void {
    try {
      for (;;) {
        const events = this.watch.read(10);
        if (events.length === 0) return;
        this.events.push(...events);
      }
    } catch (error) {
      this.error = error;
    }
  }

  async until(count: number): Promise<void> {
    await waitFor(`${count} events, so far ${this.texts.join(', ')}`, () => this.events.length >= count);
  }
}
