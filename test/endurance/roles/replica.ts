import { createLog } from '../../../base/index.ts';
import { gatewayConfigSchema, startReplica } from '../../../gateway/index.ts';
import { heap, roleOptions, serveRole, settle } from '../role.ts';

const commands = { settle, heap };

export type ReplicaRole = typeof commands;

const config = gatewayConfigSchema.parse(roleOptions());
const replica = await startReplica({ config, log: createLog({ name: 'replica', level: config.log }), version: 'test' });
serveRole(replica.ports, commands);
