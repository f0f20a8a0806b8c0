export {
  createFleetAuthority,
  createIssuer,
  createRoot,
  issueFreshLeaf,
  issueLeaf,
  parseAuthority,
  type Authority,
  type FleetAuthority,
  type IssuedLeaf,
  type LeafRequest,
  type Validity,
} from './authority.ts';
export { certError, type CertCode } from './cert-error.ts';
export { authorityKeyId, issuerKeyId, lifeOf, type CertificateLife } from './certificate-life.ts';
export { checkChain, parseChain, type ChainPolicy } from './chain-check.ts';
export { clocklessTls, type ClocklessTls } from './clockless-tls.ts';
export { makeCertificateRequest, readCertificateRequest, type CertificateRequest } from './csr.ts';
export { openKey, readPassword } from './encrypted-key.ts';
export { writePkcs12, type Pkcs12Content } from './pkcs12.ts';
export {
  formatIdentity,
  identityKinds,
  identityName,
  identityOf,
  parseIdentity,
  type ComponentIdentity,
  type EdgeIdentity,
  type Identity,
  type IdentityKind,
  type OperatorIdentity,
  type ReplicaIdentity,
} from './identity.ts';
export {
  hashOfSecret,
  isSecretOf,
  newJoinToken,
  parseJoinToken,
  pinOfRoot,
  rootOf,
  type JoinToken,
} from './join-token.ts';
export { loadKeyStore, saveKeyStore, saveTrust, type KeyStore, type KeyStoreContent } from './key-store.ts';
export {
  checkLeaf,
  handshakeFailure,
  identifyPeer,
  identityIn,
  keyPinOf,
  keyPinOfKey,
  leafFields,
  type LeafPolicy,
} from './leaf-policy.ts';
export { LiveKeyStore } from './live-key-store.ts';
export { provesRenewal, signRenewal, type RenewalClaim } from './renewal-proof.ts';
export { shownCertificates } from './shown-certificates.ts';
export { apiServerTls, clientTls, linkServerTls, secureContextOf, type TlsCredentials } from './tls-options.ts';
export { fingerprintOfRoot, parseTrustBundle, signTrust, verifyTrustUpdate, type TrustBundle } from './trust-bundle.ts';
