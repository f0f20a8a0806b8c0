import type { TunnelLimits } from './limits.ts';

interface SentRecord {
  /** Bytes sent up to and with this record. */
  readonly position: number;
  readonly sentAt: number;
  /** What had been acknowledged when it was sent, and when that was. */
  readonly ackedBytes: number;
  readonly ackedAt: number;
}

/**
 * Of the bandwidth-delay product: one is in the network, the rest keeps it from running dry. BBR itself takes 2; acknowledgements
 * that come in bursts already make the measured rate too high here, and each tenth of it is queue before an interactive frame.
 */
const GAIN = 1.5;
/** Below this a round trip says more about two processes' scheduling than about the network. */
const MIN_RTT_FLOOR_MS = 4;
const RATE_WINDOW_ROUNDS = 10;
/** The smallest round trip is believed this long; then the queue is drained once to see it again. */
const MIN_RTT_WINDOW_MS = 10_000;
const PROBE_GAIN = 0.5;
const RECORD_BYTES = 16 * 1024;

/**
 * How many bytes a link may have in flight, so that bulk data queues here, where an interactive frame overtakes it, and
 * not in the network's buffers: the windowed maximum of the delivery rate times the smallest round trip, after Cardwell
 * et al., "BBR: Congestion-Based Congestion Control", 2016. Since the budget is more than the rate fills, it grows
 * each round trip until delivery stops growing. Pure: times are passed in, in milliseconds.
 */
export class InflightBudget {
  readonly #limits: TunnelLimits;
  #sent = 0;
  #acked = 0;
  #ackedAt = 0;
  #budget: number;
  #records: SentRecord[] = [];
  #firstRecord = 0;
  /** Falling rates with the time of each: the first is the window's maximum. */
  #rates: { readonly rate: number; readonly at: number }[] = [];
  #minRttMs = Number.POSITIVE_INFINITY;
  #minRttAt = 0;
  #drainUntil = 0;

  constructor(limits: TunnelLimits) {
    this.#limits = limits;
    this.#budget = limits.minInflightBytes;
  }

  get inflightBytes(): number {
    return this.#sent - this.#acked;
  }

  get budgetBytes(): number {
    return this.#budget;
  }

  /** The smallest round trip in the window; undefined before the first. */
  get minRttMs(): number | undefined {
    return Number.isFinite(this.#minRttMs) ? this.#minRttMs : undefined;
  }

  /** Bytes a second that the link delivers at its best; undefined before the first measure. */
  get bytesPerSecond(): number | undefined {
    const [best] = this.#rates;
    return best === undefined ? undefined : best.rate * 1000;
  }

  /** Bytes that may go out now. */
  get room(): number {
    return this.#budget - (this.#sent - this.#acked);
  }

  sent(bytes: number, now: number): void {
    // After a pause the clock of delivery starts anew.
    if (this.#sent === this.#acked) this.#ackedAt = now;
    this.#sent += bytes;
    const last = this.#records.at(-1);
    if (
      last !== undefined &&
      this.#records.length > this.#firstRecord &&
      this.#sent - last.position < RECORD_BYTES &&
      now - last.sentAt < 1
    ) {
      return;
    }
    this.#records.push({ position: this.#sent, sentAt: now, ackedBytes: this.#acked, ackedAt: this.#ackedAt });
  }

  /** The peer has received this many bytes since the link opened. False when it cannot have. */
  acked(total: number, now: number): boolean {
    if (total > this.#sent) return false;
    if (total <= this.#acked) return true;
    let newest: SentRecord | undefined;
    for (;;) {
      const record = this.#records[this.#firstRecord];
      if (record === undefined || record.position > total) break;
      newest = record;
      this.#firstRecord++;
    }
    if (this.#firstRecord > 64 || this.#firstRecord === this.#records.length) {
      this.#records.splice(0, this.#firstRecord);
      this.#firstRecord = 0;
    }
    this.#acked = total;
    this.#ackedAt = now;
    if (newest !== undefined) this.#sample(newest, now);
    return true;
  }

  /** A round trip, from an acknowledgement or a probe. */
  measured(rttMs: number, now: number): void {
    if (rttMs <= this.#minRttMs) {
      this.#minRttMs = Math.max(0.01, rttMs);
      this.#minRttAt = now;
    } else if (now - this.#minRttAt > MIN_RTT_WINDOW_MS) {
      if (this.#drainUntil === 0) {
        this.#drainUntil = now + Math.max(200, 2 * this.#minRttMs);
      } else if (now > this.#drainUntil) {
        // Drained and still longer: the path itself has changed.
        this.#minRttMs = rttMs;
        this.#minRttAt = now;
      }
    }
    if (this.#minRttAt === now) this.#drainUntil = 0;
    this.#update();
  }

  #sample(record: SentRecord, now: number): void {
    this.#addRate((this.#acked - record.ackedBytes) / Math.max(now - record.ackedAt, this.#rateFloorMs), now);
    this.measured(now - record.sentAt, now);
  }

  get #rateFloorMs(): number {
    return Math.max(1, Number.isFinite(this.#minRttMs) ? this.#minRttMs : 1);
  }

  #addRate(rate: number, now: number): void {
    const windowMs = Math.max(1000, RATE_WINDOW_ROUNDS * this.#rateFloorMs);
    this.#rates = this.#rates.filter((entry) => entry.rate > rate && now - entry.at <= windowMs);
    this.#rates.push({ rate, at: now });
  }

  #update(): void {
    const [best] = this.#rates;
    if (best === undefined) return;
    const gain = this.#drainUntil === 0 ? GAIN : PROBE_GAIN;
    const budget = best.rate * Math.max(this.#minRttMs, MIN_RTT_FLOOR_MS) * gain;
    this.#budget = Math.min(this.#limits.maxInflightBytes, Math.max(this.#limits.minInflightBytes, budget));
  }
}
