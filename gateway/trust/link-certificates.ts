import type { Link, LinkBody } from '../../tunnel/index.ts';

/** What is known of the certificate that a link was opened with, and of the roots that its edge trusts. */
export interface LinkCertificate {
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** Key identifier of its issuer. */
  readonly issuer: string;
  /** `keyPinOf` of it. */
  readonly keyPin: string;
  /** Hex. */
  readonly serial: string;
  /** `TrustBundle.version`, as the agent says; empty where it does not. */
  readonly trust: string;
}

/** Which certificate each edge's link was opened with: for the edge's status, and so for whoever rolls a root. */
export class LinkCertificates {
  readonly #links = new WeakMap<Link, LinkCertificate>();

  find(link: Link): LinkCertificate | undefined {
    return this.#links.get(link);
  }

  opened(link: Link, { notAfter, issuer, keyPin, serial }: Omit<LinkCertificate, 'trust'>, hello: LinkBody): void {
    this.#links.set(link, { notAfter, issuer, keyPin, serial, trust: trustIn(hello) ?? '' });
  }

  /** True when the agent has said something new. */
  updated(link: Link, body: LinkBody): boolean {
    const known = this.#links.get(link);
    const trust = trustIn(body);
    if (known === undefined || trust === undefined || trust === known.trust) return false;
    this.#links.set(link, { ...known, trust });
    return true;
  }
}

function trustIn({ trust }: LinkBody): string | undefined {
  return typeof trust === 'string' && /^\d{1,15}-[0-9a-f]{16}$/u.test(trust) ? trust : undefined;
}
