export { EdgeIssuer, type EdgeIssuerOptions } from './edge-issuer.ts';
export { LinkCertificates, type LinkCertificate } from './link-certificates.ts';
export { renewalPath } from './renewal-path.ts';
export { Renewal, type RenewalFacts, type RenewalOptions } from './renewal.ts';
export { answerTrust } from './trust-path.ts';
export { ReplicaCredentials, type ReplicaCredentialsOptions, type TrustNews } from './replica-credentials.ts';
