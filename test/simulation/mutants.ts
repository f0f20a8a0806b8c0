/** A fault that someone could make in the protocol: one replacement in one file of `tunnel/`. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** Each of these has to be found by the simulation: what it does not find, it does not guard. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a RESUME that comes late takes the stream back to an old path',
    file: 'acceptor-core.ts',
    find: 'if (frame.attempt <= this.#attempt) {',
    replace: 'if (frame.attempt < 0) {',
  },
  {
    name: 'FIN is not acknowledged',
    file: 'receive-half.ts',
    find: 'this.#received = offset + 1;',
    replace: 'this.#received = offset;',
  },
  {
    name: 'a stream that is over leaves no tombstone',
    file: 'endpoint.ts',
    find: 'this.#tombstones.remember(key, outcome, this.clock.now());',
    replace: '',
  },
  {
    name: 'credit is granted when bytes arrive',
    file: 'receive-half.ts',
    find: 'this.#granted = Math.max(this.#granted, this.#queue.start + this.#window.bytes);',
    replace: 'this.#granted = Math.max(this.#granted, this.#queue.end + this.#window.bytes);',
  },
  {
    name: 'replay begins where sending stopped',
    file: 'send-half.ts',
    find: 'this.#sent = this.#queue.start;\n    if',
    replace: 'if',
  },
  {
    name: 'an overlap is not trimmed',
    file: 'receive-half.ts',
    find: 'offset === this.#received ? payload : payload.subarray(this.#received - offset)',
    replace: 'payload',
  },
  {
    name: 'an OPEN for an earlier instance is executed',
    file: 'endpoint.ts',
    find: 'if (frame.instance !== this.instance) {',
    replace: "if (frame.instance === '') {",
  },
  {
    name: 'in doubt, OPEN goes to whichever instance is there now',
    file: 'opener-core.ts',
    find: 'if (!resumes && !this.#route.doubt)',
    replace: 'if (!resumes)',
  },
  {
    name: 'an OPEN that may have arrived leaves no doubt',
    file: 'opener-path.ts',
    find: "const doubt = path.doubt || (path.phase === 'offered' && !path.accepted && path.namesInstance);",
    replace: 'const doubt = path.doubt;',
  },
  {
    name: 'an OPEN that comes again makes a second stream',
    file: 'endpoint.ts',
    find: 'const core = this.#accepted.get(key);',
    replace: 'const core = frame.type === FrameType.OPEN ? undefined : this.#accepted.get(key);',
  },
  {
    name: 'a switch passes on the limit of the far end as it is',
    file: 'leg.ts',
    find: 'return Math.max(this.#told, Math.min(limit, Math.max(drained, this.#received) + hop));',
    replace: 'return Math.max(this.#told, Math.min(limit, Math.max(drained, this.#received) + 1000 * hop));',
  },
  {
    name: 'a switch keeps a crossing whose two ends are complete',
    file: 'crossing.ts',
    find: 'this.#acceptor?.complete === true) this.#free();',
    replace: 'this.#acceptor?.complete === true) return;',
  },
  {
    name: 'a switch frees a crossing while the acknowledgement of a RESET is to come',
    file: 'crossing.ts',
    find: 'if (!this.#resetting && ',
    replace: 'if (',
  },
  {
    name: 'a switch lets nobody skip what the far end has already',
    file: 'leg.ts',
    find: 'if (offset === this.#arrived || (offset > this.#arrived && offset <= this.#toldReceived)) return;',
    replace: 'if (offset === this.#arrived) return;',
  },
  {
    name: 'a switch counts bytes that it has dropped as queued',
    file: 'leg.ts',
    find: 'this.#crossing.queued(-this.#lane.bytes);',
    replace: '',
  },
  {
    name: 'a RESET is not repeated on the next path',
    file: 'opener-core.ts',
    find: 'if (this.failure !== undefined) this.onAbort(this.failure);',
    replace: '',
  },
  {
    name: 'a RESET of a channel that is over is ignored',
    file: 'endpoint.ts',
    find: "slot.port.send({ ...frame, ack: true, message: '' });",
    replace: ';',
  },
  {
    name: 'an opener that gives up while it waits for its port forgets to say so',
    file: 'opener-core.ts',
    find: '      this.path?.port.ready(this);\n    }\n  }',
    replace: '    }\n  }',
  },
  {
    name: 'an opener that is done on a later path does not say so',
    file: 'opener-core.ts',
    find: 'if (this.#route.attempt > 1) path.port.send(',
    replace: 'if (this.#route.attempt > 1000) path.port.send(',
  },
  {
    name: 'a new path keeps the limit of the old one',
    file: 'send-half.ts',
    find: 'this.#limit = limit;\n    this.#sent',
    replace: 'this.#limit = Math.max(this.#limit, limit);\n    this.#sent',
  },
  {
    name: 'what is read between RESUME and RESUMED is never granted',
    file: 'opener-core.ts',
    find: 'this.tellCredit();',
    replace: '',
  },
  {
    name: 'a stream without a path is kept for ever',
    file: 'endpoint.ts',
    find: "core.expire(tunnelError('stream-lost'));",
    replace: 'void core;',
  },
  {
    name: 'a window keeps what it took from the pool',
    file: 'window.ts',
    find: 'this.#pool.release(this.#bytes - this.#first);',
    replace: '',
  },
  {
    name: 'bytes that are joined miss the last piece',
    file: 'byte-queue.ts',
    find: 'start + length - filled));\n      start = 0;',
    replace: 'start + length - filled));\n      start = 1;',
  },
];
