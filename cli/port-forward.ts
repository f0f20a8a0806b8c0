import { isDnsLabel, untilSignal } from '../base/index.ts';
import type { ConnectOptions, Fleet } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import { clientOption, withFleet } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { parseForward } from './forward-spec.ts';
import { Forwarder, type ForwardEvent } from './forwarder.ts';
import { print, StatusLine } from './terminal.ts';

type LinkEvent = Parameters<NonNullable<ConnectOptions['onEvent']>>[0];

export const portForwardCommand: CommandSpec = {
  name: 'port-forward',
  summary: 'make services and addresses of an edge local ports',
  arguments: ['<EDGE>', '<[LOCAL:]SERVICE-or-HOST:PORT...>'],
  options: [
    clientOption,
    { flags: '--address ADDRESS', help: 'the local address to listen on', default: '127.0.0.1' },
    { flags: '--json', help: 'print events, one JSON object a line' },
  ],
  notes: `Local port 0, or none before a service, is any that is free; it is printed. The ports stay while a link, a replica or a site
is gone: open connections go on when it is back, and new ones wait up to 60 s.`,
  examples: ['port-forward edge-1 5432:postgres', 'port-forward edge-1 8080:web :ssh 9000:10.0.0.7:9000'],
  run: portForward,
};

async function portForward(input: CommandInput): Promise<void> {
  const [edge = '', ...texts] = input.arguments;
  if (!isDnsLabel(edge)) throw cliError('usage', `${JSON.stringify(edge)} is no name of an edge`);
  const specs = texts.map(parseForward);
  const address = input.text('address') ?? '127.0.0.1';
  const shown = input.flag('json') ? new JsonEvents() : new PlainEvents();
  await withFleet(
    input,
    async (fleet) => {
      shown.fleet = fleet;
      const waiting = new Set<object>();
      const forwarders = specs.map(
        (spec) =>
          new Forwarder({ edge: fleet.edge(edge), spec, address, waiting, onEvent: (event) => shown.forward(event) }),
      );
      shown.waiting = waiting;
      try {
        for (const forwarder of forwarders) await forwarder.listen();
        await untilSignal();
      } finally {
        for (const forwarder of forwarders) forwarder.close();
        shown.end();
      }
    },
    (event) => shown.link(event),
  );
}

/** Where the ports lead, on stdout; what is happening, in one line on stderr. */
class PlainEvents {
  fleet: Fleet | undefined;
  waiting: ReadonlySet<object> = new Set();
  readonly #line = new StatusLine();
  readonly #open = new Set<string>();
  #trouble = '';
  #ended = false;

  forward(event: ForwardEvent): void {
    switch (event.event) {
      case 'listening':
        return print(`${hostPort(event.address, event.port)} -> ${event.to}\n`);
      case 'opened':
        this.#open.add(`${event.port} ${event.connection}`);
        this.#trouble = '';
        break;
      case 'closed':
        this.#open.delete(`${event.port} ${event.connection}`);
        this.#trouble =
          event.message === undefined || event.code === 'canceled' || event.code === 'ABORT_ERR'
            ? ''
            : `; last: ${event.message}`;
        break;
      case 'waiting':
        break;
    }
    this.#show();
  }

  link(event: LinkEvent): void {
    if (event.kind === 'failed') this.#trouble = `; ${event.target}: ${event.reason.message}`;
    else if (event.kind === 'opened') this.#trouble = '';
    this.#show();
  }

  end(): void {
    this.#ended = true;
    this.#line.end();
  }

  #show(): void {
    if (this.#ended) return;
    const links = this.fleet?.links.length ?? 0;
    const detached = this.fleet?.streams.detached ?? 0;
    const parts = [
      links > 0 ? `connected, ${count(links, 'link')}` : 'no link, dialing again',
      count(this.#open.size, 'connection'),
      ...(this.waiting.size > 0 ? [`${this.waiting.size} waiting for the edge`] : []),
      ...(detached > 0 ? [`${detached} paused`] : []),
    ];
    const state = [links > 0, this.waiting.size > 0, detached > 0, this.#trouble].join();
    this.#line.show(`${parts.join(', ')}${this.#trouble}`, state);
  }
}

/** Everything as events on stdout, for programs. */
class JsonEvents {
  fleet: Fleet | undefined;
  waiting: ReadonlySet<object> = new Set();

  forward(event: ForwardEvent): void {
    print(`${JSON.stringify(event)}\n`);
  }

  link(event: LinkEvent): void {
    const { kind, target } = event;
    const reason =
      kind === 'closed' || kind === 'failed' ? { code: event.reason.code, message: event.reason.message } : {};
    print(`${JSON.stringify({ event: `link-${kind}`, target, ...reason })}\n`);
  }

  end(): void {
    // Each event is a line of its own.
  }
}

function count(number: number, name: string): string {
  return `${number} ${name}${number === 1 ? '' : 's'}`;
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
