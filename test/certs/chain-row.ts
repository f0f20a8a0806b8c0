import { generateKeyPairSync } from 'node:crypto';
import type { IdentityKind } from '../../certs/index.ts';
import {
  authorityBy,
  falseKey,
  leafOf,
  peerOf,
  signerOf,
  type AuthorityChange,
  type Chain,
  type LeafChange,
  type Peer,
  type Signer,
} from './chain.ts';
import { alternativeNames, name } from './forge.ts';

/** Who is offered the chain: two listeners of a replica, a listener for replicas, and who dials a replica. */
export type Door = 'links' | 'api' | 'peers' | 'dialer';

/** `accepted`, or the code of the refusal, with OpenSSL's reason behind it where OpenSSL refuses. */
type Verdict = string | Readonly<Partial<Record<Door, string>>>;

/** One chain, and what has to come of it. */
export interface ChainRow {
  readonly name: string;
  readonly chain: (peer: Peer) => Chain;
  /** For every door, or for those named. */
  readonly verdict: Verdict;
}

export const minuteMs = 60_000;
export const past = (minutes: number): Date => new Date(Date.now() - minutes * minuteMs);
export const ahead = (minutes: number): Date => new Date(Date.now() + minutes * minuteMs);

export const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 });
export const rsa2048 = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const ed25519 = generateKeyPairSync('ed25519');
export const curve = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });

/** A leaf that is wrong in one thing. */
export function leaf(text: string, change: LeafChange | ((peer: Peer) => LeafChange), verdict: Verdict): ChainRow {
  return { name: text, verdict, chain: (peer) => leafOf(peer, typeof change === 'function' ? change(peer) : change) };
}

/** A leaf with other names; `hosts` stand where the door needs them. */
export function names(text: string, of: (peer: Peer) => readonly Buffer[], verdict: Verdict): ChainRow {
  return leaf(text, (peer) => ({ names: alternativeNames(...of(peer), ...peer.hosts) }), verdict);
}

/** A leaf with another URI. */
export function uri(text: string, of: (peer: Peer) => string, verdict: Verdict): ChainRow {
  return names(text, (peer) => [name.uri(of(peer))], verdict);
}

/** A right leaf, with other certificates behind it. */
export function sent(text: string, behind: (peer: Peer) => readonly string[], verdict: Verdict): ChainRow {
  return {
    name: text,
    verdict,
    chain: (peer) => {
      const { leaf: first, keyPem } = leafOf(peer);
      return { certificates: [first, ...behind(peer)], keyPem };
    },
  };
}

/** A leaf by an issuer that the fleet's root has signed, with something wrong in that issuer. */
export function issuer(text: string, change: AuthorityChange, verdict: Verdict): ChainRow {
  return { name: text, verdict, chain: (peer) => leafOf(peer, {}, authorityBy(rootOf(peer), peer, change)) };
}

/** A leaf by somebody, and what is sent behind it; the signer's certificate unless said otherwise. */
export function by(
  text: string,
  signer: (peer: Peer) => Signer,
  verdict: Verdict,
  behind?: (peer: Peer) => readonly string[],
): ChainRow {
  return {
    name: text,
    verdict,
    chain: (peer) => {
      const chain = leafOf(peer, {}, signer(peer));
      return behind === undefined ? chain : { ...chain, certificates: [chain.leaf, ...behind(peer)] };
    },
  };
}

export function rootOf({ fleet }: Peer): Signer {
  return signerOf(fleet.authority.root);
}

export function strangerRoot({ stranger }: Peer): Signer {
  return signerOf(stranger.authority.root);
}

/** The issuer of another kind, with its key. */
export function otherIssuer({ fleet, kind }: Peer): Signer {
  return signerOf(fleet.authority.issuers[kind === 'edge' ? 'component' : 'edge']);
}

/** The right certificate of a kind, whoever is expected. */
export function ofKind(kind: IdentityKind, verdict: Verdict): ChainRow {
  return {
    name: `the right one of kind ${kind}`,
    verdict,
    chain: ({ fleet, stranger }) => leafOf(peerOf(fleet, stranger, kind)),
  };
}

/** A replica that says that it listens elsewhere. */
export function hosts(text: string, names: readonly Buffer[], verdict: string, subject = ''): ChainRow {
  return leaf(text, (peer) => ({ subject, names: alternativeNames(name.uri(peer.uri), ...names) }), {
    dialer: verdict,
  });
}

/** The issuer and the root of another fleet. */
export function foreignChain({ stranger, kind }: Peer): readonly string[] {
  return [stranger.authority.issuers[kind].certPem, stranger.authority.root.certPem];
}

export function otherLeaf(peer: Peer): Signer {
  const { leaf: certPem } = leafOf(peer, { key: falseKey, subject: peer.issuer.subject });
  return { ...authorityBy('itself', peer), certPem };
}

export function ownCertificate({ certPem, privateKey }: Signer, ...behind: readonly Signer[]): Chain {
  return {
    certificates: [certPem, ...behind.map((each) => each.certPem)],
    keyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}
