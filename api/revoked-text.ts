/**
 * What is revoked, as one text each: `principal operator/alice`, `key sha256/...`, `serial 4f1a22`. Replicas name each other so in
 * `revokedReplicas` of WELCOME and UPDATE.
 */
export const revokedText = {
  principal: (name: string): string => `principal ${name}`,
  /** `keyPin`: `sha256/` and the base64url of the hash of the public key. */
  key: (keyPin: string): string => `key ${keyPin}`,
  /** One spelling: tools write serial numbers in either case, with colons, and with zeros before them. */
  serial: (hex: string): string =>
    `serial ${hex
      .replaceAll(':', '')
      .toLowerCase()
      .replace(/^0+(?=.)/u, '')}`,
} as const;

/** Nobody is told of more; a fleet with so many of them replaces its issuers. */
export const maxRevokedReplicas = 256;

/** Reads `revokedReplicas`; what is none of those texts is left out. */
export function revokedReplicasIn(said: unknown): readonly string[] {
  if (!Array.isArray(said)) return [];
  return said
    .slice(0, maxRevokedReplicas)
    .filter((text): text is string => typeof text === 'string' && revokedPattern.test(text));
}

const revokedPattern = /^(principal replica\/[a-z0-9./_-]{1,127}|key sha256\/[\w-]{43}|serial [0-9a-f]{1,40})$/u;
