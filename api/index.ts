export { apiCodes, apiError, type ApiCode } from './api-error.ts';
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
