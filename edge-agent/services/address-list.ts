import { lookup as dnsLookup } from 'node:dns/promises';
import { BlockList, isIP, SocketAddress } from 'node:net';
import { isDnsName, messageOf } from '../../base/index.ts';
import { tunnelError } from '../../tunnel/index.ts';
import { serviceError } from './service-error.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** A host and port with the addresses that may be dialed for it; at least one. */
export interface DialTarget extends HostPort {
  readonly addresses: readonly ResolvedAddress[];
}

export type Lookup = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

interface Rule {
  /** Undefined for any. */
  readonly port: number | undefined;
  readonly name: string | undefined;
  readonly ranges: BlockList;
}

/**
 * The addresses that a caller may dial at this edge, by the owner's list. A name is resolved once, and the result is what is
 * checked and what is dialed, so an answer that changes in between gains nothing.
 *
 * - a rule with a range or an address admits what resolves into it, whatever the name
 * - a rule with a name admits that name, except where it resolves to this machine or its link: a name server is not to decide that
 *   a caller reaches those. `localhost` is this machine.
 */
export class AddressList {
  readonly #rules: readonly Rule[];
  readonly #lookup: Lookup;

  /** Throws `address-invalid`, naming the entry. */
  constructor(entries: readonly string[], lookup: Lookup = (host) => dnsLookup(host, { all: true })) {
    this.#rules = entries.map(parseRule);
    this.#lookup = lookup;
  }

  /** Fails with `address-denied`, or `upstream-refused` when the name does not resolve. */
  async resolve(text: string): Promise<DialTarget> {
    const target = parseHostPort(text);
    if (target === undefined) throw tunnelError('address-denied', { detail: 'not a host and a port' });
    const { host, port } = target;
    const rules = this.#rules.filter((rule) => rule.port === undefined || rule.port === port);
    // Nothing could match: a name server need not hear of it.
    if (rules.length === 0) throw tunnelError('address-denied', { detail: text });
    const addresses = (await this.#addressesOf(host)).filter((address) =>
      rules.some((rule) => admits(rule, host, address)),
    );
    if (addresses.length === 0) throw tunnelError('address-denied', { detail: text });
    return { host, port, addresses };
  }

  async #addressesOf(host: string): Promise<ResolvedAddress[]> {
    if (isIP(host) !== 0) return [resolved(host)];
    try {
      return (await this.#lookup(host)).map(({ address }) => resolved(address));
    } catch (cause) {
      throw tunnelError('upstream-refused', { detail: messageOf(cause), cause });
    }
  }
}

/** `host:port` or `[v6]:port`; undefined when it is neither. */
export function parseHostPort(text: string): HostPort | undefined {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = (parts?.[1] ?? parts?.[2] ?? '').toLowerCase().replace(/\.$/, '');
  const port = Number(parts?.[3]);
  const valid = parts?.[1] === undefined ? isIP(host) === 4 || isDnsName(host) : isIP(host) === 6;
  return valid && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

const local = new BlockList();
local.addSubnet('0.0.0.0', 8, 'ipv4');
local.addSubnet('127.0.0.0', 8, 'ipv4');
local.addSubnet('169.254.0.0', 16, 'ipv4');
local.addSubnet('224.0.0.0', 3, 'ipv4');
// With the addresses of IPv4 that were once written in it.
local.addSubnet('::', 96, 'ipv6');
local.addSubnet('fe80::', 10, 'ipv6');
local.addSubnet('ff00::', 8, 'ipv6');

function admits(rule: Rule, host: string, { address, family }: ResolvedAddress): boolean {
  const type = family === 4 ? 'ipv4' : 'ipv6';
  if (rule.ranges.check(address, type)) return true;
  return rule.name === host && !local.check(address, type);
}

/** One spelling for one address: IPv4 in IPv6 clothes would miss the IPv4 ranges. */
function resolved(text: string): ResolvedAddress {
  if (isIP(text) === 4) return { address: text, family: 4 };
  const { address } = new SocketAddress({ address: text.replace(/%.*$/, ''), family: 'ipv6' });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  return mapped === undefined ? { address, family: 6 } : { address: mapped, family: 4 };
}

function parseRule(entry: string): Rule {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5}|\*)$/.exec(entry);
  const [, v6, plain = '', portText = ''] = parts ?? [];
  const port = portText === '*' ? undefined : Number(portText);
  if (parts === null || (port !== undefined && (port < 1 || port > 65_535)))
    throw serviceError('address-invalid', { detail: entry });
  const [base = '', prefix] = (v6 ?? plain).toLowerCase().split('/');
  const ranges = new BlockList();
  const family = isIP(base);
  if (family === 0) {
    if (v6 !== undefined || prefix !== undefined || !isDnsName(base))
      throw serviceError('address-invalid', { detail: entry });
    if (base === 'localhost') {
      ranges.addSubnet('127.0.0.0', 8, 'ipv4');
      ranges.addAddress('::1', 'ipv6');
    }
    return { port, name: base, ranges };
  }
  const bits =
    prefix === undefined ? (family === 4 ? 32 : 128) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (!(bits <= (family === 4 ? 32 : 128))) throw serviceError('address-invalid', { detail: entry });
  ranges.addSubnet(base, bits, family === 4 ? 'ipv4' : 'ipv6');
  return { port, name: undefined, ranges };
}
