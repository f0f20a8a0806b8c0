import { X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { messageOf } from '../../base/index.ts';
import {
  authorityKeyId,
  certError,
  identityOf,
  issueLeaf,
  parseAuthority,
  type Authority,
  type IssuedLeaf,
  type TrustBundle,
} from '../../certs/index.ts';
import { gatewayError } from '../gateway-error.ts';

export interface EdgeIssuerOptions {
  /** Files of the edges' issuing certificate and key; without them nothing is issued here. */
  readonly files: { readonly cert: string; readonly key: string } | undefined;
  /** How long certificates are good. */
  readonly validMs: number;
  /** Who is trusted now; an issuer that no root has signed issues nothing. */
  readonly trust: () => TrustBundle;
}

interface Loaded {
  readonly authority: Authority;
  readonly keyId: string;
  readonly certificate: X509Certificate;
}

/** The authority that names edges, as far as this replica holds it. It is read again when its files change. */
export class EdgeIssuer {
  readonly #options: EdgeIssuerOptions;
  #loaded: Loaded | undefined;

  /** Throws `trust-invalid` for files that cannot be read or hold no issuer of edges. */
  static async open(options: EdgeIssuerOptions): Promise<EdgeIssuer> {
    const issuer = new EdgeIssuer(options);
    await issuer.reload();
    return issuer;
  }

  private constructor(options: EdgeIssuerOptions) {
    this.#options = options;
  }

  /** Its files, for who watches them. */
  get files(): readonly string[] {
    const { files } = this.#options;
    return files === undefined ? [] : [files.cert, files.key];
  }

  /** Which authority it is, as certificates say who issued them; undefined when there is none. */
  get keyId(): string | undefined {
    return this.#loaded?.keyId;
  }

  /** Its certificate, which stands behind each leaf. */
  get certificate(): X509Certificate | undefined {
    return this.#loaded?.certificate;
  }

  /**
   * Issues a certificate for an edge's key: the caller has checked that the edge may have it, and that it has the private key.
   * Throws `issuer-missing`, `issue-refused`.
   */
  async issue(edge: string, publicKey: KeyObject): Promise<IssuedLeaf> {
    const loaded = this.#loaded;
    if (loaded === undefined) throw gatewayError('issuer-missing');
    const { authority, certificate } = loaded;
    const { trust, validMs } = this.#options;
    const isVouchedFor = trust().roots.some(
      (root) => certificate.checkIssued(root) && certificate.verify(root.publicKey),
    );
    if (!isVouchedFor) throw gatewayError('issuer-missing', { detail: 'no trusted root has signed it' });
    return await issueLeaf(authority, {
      identity: identityOf(authority.trustDomain, `edge/${edge}`),
      publicKey,
      validMs,
    });
  }

  /** Reads the files again; false when they hold what is in use. Throws `trust-invalid`, and the old issuer stays in use. */
  async reload(): Promise<boolean> {
    const { files } = this.#options;
    if (files === undefined) return false;
    const [certPem, keyPem] = await Promise.all([read(files.cert), read(files.key)]);
    const { authority: current } = this.#loaded ?? {};
    if (current?.certPem === certPem && current.keyPem === keyPem) return false;
    const authority = parseAuthority(certPem, keyPem);
    if (authority.kind !== 'edge') throw certError('trust-invalid', `${files.cert}: not the issuer of edges`);
    const certificate = new X509Certificate(certPem);
    this.#loaded = { authority, certificate, keyId: authorityKeyId(certificate) };
    return true;
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw certError('trust-invalid', `${file}: ${messageOf(error)}`, error);
  }
}
