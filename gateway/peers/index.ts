export { dialPeer } from './dial-peer.ts';
export { Peering, type OwnRecord, type PeeringOptions } from './peering.ts';
export { replicaId, type ReplicaRecord } from './presence.ts';
