export { apiCodes, apiError, type ApiCode } from './api-error.ts';
export {
  auditNumberFields,
  auditOutcomes,
  auditPath,
  auditTextFields,
  maxAuditLineLength,
  parseAuditRecord,
  type AuditEvent,
  type AuditOutcome,
  type AuditRecord,
} from './audit.ts';
export {
  decodeControlAnswer,
  decodeControlBody,
  encodeControlAnswer,
  maxControlBytes,
  parseExpiredRenewRequest,
  parseRenewed,
  parseRenewRequest,
  parseTrustAnswer,
  renewPath,
  trustPath,
  type ExpiredRenewRequest,
  type Renewed,
  type RenewRequest,
} from './control.ts';
export {
  emergencyDenyPath,
  parseEmergencyAnswer,
  parseEmergencyRequest,
  type EmergencyAnswer,
  type EmergencyRequest,
} from './emergency.ts';
export {
  edgeNodeProblems,
  initialEdgeStatus,
  parseEdgeNode,
  type EdgeCondition,
  type EdgeLinkStatus,
  type EdgeNode,
  type EdgeNodeList,
  type EdgeNodeSpec,
  type EdgeNodeStatus,
  type EdgeServiceStatus,
} from './edge-node.ts';
export {
  agentFilesPath,
  bootstrapPath,
  enrolPath,
  parseEnrolAnswer,
  parseEnrolRequest,
  parseMadeToken,
  tokensPath,
  type EnrolAnswer,
  type EnrolRequest,
  type MadeToken,
} from './enrolment.ts';
export {
  apiVersion,
  edgeNodePath,
  edgeNodesPath,
  edgePath,
  healthPath,
  metricsPath,
  parseEdgeNodesPath,
  parseEdgePath,
  readyPath,
  type EdgeNodesPath,
  type EdgePath,
} from './paths.ts';
export {
  errorOfStatus,
  statusOf,
  type Status,
  type StatusCause,
  type StatusDetails,
  type StatusSubject,
} from './status.ts';
export { maxRevokedReplicas, revokedReplicasIn, revokedText } from './revoked-text.ts';
