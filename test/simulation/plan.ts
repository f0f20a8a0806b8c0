import { defaultLimits, type TunnelLimits } from '../../tunnel/limits.ts';
import type { Random } from './random.ts';

/** Limits that a test may still change: a switch gets its memory back when the faults are over. */
export type Limits = { -readonly [Name in keyof TunnelLimits]: TunnelLimits[Name] };

/** How one direction of a stream is written and read. */
export interface DirectionPlan {
  /** Where its bytes begin in the pattern. */
  readonly start: number;
  readonly length: number;
  readonly chunk: number;
  /** Written by reference where whole buffers are, else as slices of a larger one. */
  readonly owned: boolean;
  readonly pauseMs: number;
  readonly endAfterMs: number;
  readonly readChunk: number;
  readonly readPauseMs: number;
  /** The reader takes nothing before this time. */
  readonly stallMs: number;
}

/** One logical request, as the seed has it. */
export interface RequestPlan {
  readonly openAtMs: number;
  readonly headBytes: number;
  readonly up: DirectionPlan;
  readonly down: DirectionPlan;
  readonly answer: 'accept' | 'later' | 'lazy' | 'refuse' | 'denied';
  readonly answerAfterMs: number;
  readonly openerAbortsAfterMs: number | undefined;
  readonly acceptorAbortsAfterMs: number | undefined;
  readonly bulk: boolean;
}

export const PATTERN_BYTES = 256 * 1024;

export function planLimits(random: Random): { endpoint: Limits; hop: Limits } {
  const maxDataBytes = random.pick(60, 200, 900, 4000);
  const openCreditBytes = random.pick(200, 500, 1000);
  const common: Limits = {
    ...defaultLimits,
    maxDataBytes,
    maxFrameBytes: Math.max(300, maxDataBytes + 8),
    openCreditBytes,
    resumeWithinMs: 2000,
    keepDetachedMs: 3000,
    tombstoneMs: 3500,
    openWithinMs: 800,
    handshakeMs: 1500,
    idleProbeMs: 1500,
    busyProbeMs: 500,
    probeTimeoutMs: 400,
    minInflightBytes: random.pick(200, 500, 2000, 32_000),
    maxInflightBytes: random.pick(3000, 1_000_000),
    maxHeldOpens: random.chance(0.1) ? 1 : 1000,
  };
  const windowBytes = openCreditBytes * random.pick(1, 2, 6);
  const hopBytes = Math.max(openCreditBytes, random.pick(200, 1000, 3000));
  return {
    endpoint: {
      ...common,
      windowBytes,
      maxWindowBytes: windowBytes * random.pick(1, 4),
      windowGrowthBytes: random.pick(0, 4000, 100_000),
      detachedBytes: random.chance(0.04) ? 500 : defaultLimits.detachedBytes,
    },
    hop: {
      ...common,
      windowBytes: hopBytes,
      maxWindowBytes: hopBytes * random.pick(1, 1, 3),
      windowGrowthBytes: random.pick(0, 5000),
      switchQueueBytes: random.chance(0.2) ? random.int(1000, 6000) : defaultLimits.switchQueueBytes,
    },
  };
}

export function planRequest(random: Random, untilMs: number): RequestPlan {
  return {
    openAtMs: random.int(0, untilMs),
    headBytes: random.chance(0.2) ? random.int(200, 900) : random.int(4, 40),
    up: planDirection(random),
    down: planDirection(random),
    answer: random.chance(0.05)
      ? 'refuse'
      : random.chance(0.03)
        ? 'denied'
        : random.pick('accept', 'accept', 'lazy', 'later'),
    answerAfterMs: random.int(1, 900),
    openerAbortsAfterMs: random.chance(0.1) ? random.int(0, 1500) : undefined,
    acceptorAbortsAfterMs: random.chance(0.07) ? random.int(0, 1500) : undefined,
    bulk: random.chance(0.3),
  };
}

function planDirection(random: Random): DirectionPlan {
  const oneByte = random.chance(0.12);
  const length = random.chance(0.15) ? 0 : oneByte ? random.int(1, 250) : random.int(1, random.pick(40, 2000, 7000));
  return {
    start: random.int(0, PATTERN_BYTES - 10_000),
    length,
    chunk: oneByte ? 1 : random.int(1 + (length >> 5), random.pick(30, 500, 5000) + (length >> 5)),
    owned: random.chance(0.5),
    pauseMs: random.chance(0.5) ? 0 : random.int(1, 120),
    endAfterMs: random.chance(0.6) ? 0 : random.int(1, 1500),
    readChunk: random.chance(0.6) ? 65_536 : random.int(1, 700) + (length >> 4),
    readPauseMs: random.chance(0.6) ? 0 : random.int(1, 150),
    stallMs: random.chance(0.7) ? 0 : random.int(1, 4000),
  };
}
