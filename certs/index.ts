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
export { loadKeyStore, saveKeyStore, saveTrust, type KeyStore, type KeyStoreContent } from './key-store.ts';
export { checkLeaf, identifyPeer, keyPinOf, type LeafPolicy } from './leaf-policy.ts';
export { apiServerTls, clientTls, linkServerTls, type TlsCredentials } from './tls-options.ts';
export { parseTrustBundle, type TrustBundle } from './trust-bundle.ts';
