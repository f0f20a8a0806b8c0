import { isIP } from 'node:net';
import { isDnsLabel, isDnsName } from '../base/index.ts';
import { cliError } from './cli-error.ts';

/** One forward: a local port, and what it leads to at the edge. */
export interface ForwardSpec {
  /** 0 for any that is free. */
  readonly localPort: number;
  /** A service, or `host:port`. */
  readonly to: string;
}

/**
 * Reads `[LOCAL:]SERVICE-or-HOST:PORT`:
 *
 * - `postgres`, `:postgres`: the service, at any free local port
 * - `5432:postgres`: the service, at local port 5432
 * - `5432:10.0.0.7:5432`, `5432:[fd00::7]:5432`, `:db.local:5432`: an address as the edge sees it
 * - `10.0.0.7:5432`, `db.local:5432`: an address, at the same local port, as ssh and kubectl have it
 *
 * Throws `usage`.
 */
export function parseForward(text: string): ForwardSpec {
  const parts = splitOutsideBrackets(text);
  const [first = '', second = '', third = ''] = parts;
  if (parts.length === 1) return { localPort: 0, to: service(text, first) };
  // An address and a local port both have numbers; only the first part can tell them apart.
  const isLocal = first === '' || /^\d+$/u.test(first);
  if (parts.length === 2 && isLocal) return { localPort: local(text, first), to: service(text, second) };
  if (parts.length === 2) return { localPort: port(text, second), to: address(text, first, second) };
  if (parts.length === 3 && isLocal) return { localPort: local(text, first), to: address(text, second, third) };
  throw wrong(text);
}

/** Reads what `dial` takes: a service, or `host:port`. Throws `usage`. */
export function parseDialTarget(text: string): string {
  const parts = splitOutsideBrackets(text);
  const [first = '', second = ''] = parts;
  if (parts.length === 1) return service(text, first);
  if (parts.length === 2) return address(text, first, second);
  throw wrong(text);
}

function splitOutsideBrackets(text: string): string[] {
  const parts = text.match(/(?:\[[^\]]*\]|[^:[\]])+|(?<=^|:)(?=:|$)/gu) ?? [];
  if (parts.join(':') !== text) throw wrong(text);
  return parts;
}

function service(text: string, name: string): string {
  if (!isDnsLabel(name)) throw wrong(text);
  return name;
}

function address(text: string, host: string, portText: string): string {
  const inner = /^\[(.+)\]$/u.exec(host)?.[1];
  const valid = inner === undefined ? isIP(host) === 4 || isDnsName(host.toLowerCase()) : isIP(inner) === 6;
  if (!valid) throw wrong(text);
  return `${host.toLowerCase()}:${port(text, portText)}`;
}

function local(text: string, portText: string): number {
  return portText === '' || portText === '0' ? 0 : port(text, portText);
}

function port(text: string, portText: string): number {
  const number = Number(portText);
  if (!/^\d{1,5}$/u.test(portText) || number < 1 || number > 65_535) throw wrong(text);
  return number;
}

function wrong(text: string): Error {
  return cliError('usage', `${JSON.stringify(text)} is not [LOCAL:]SERVICE or [LOCAL:]HOST:PORT`);
}
