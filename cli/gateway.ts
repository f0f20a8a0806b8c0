import { loadConfig } from '../base/index.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { beside, roleLog, roleOptions, settingsOf, tellParent, untilEnd } from './run-role.ts';
import { readVersion } from './version.ts';

export const gatewayCommand: CommandSpec = {
  name: 'gateway',
  summary: 'run a replica of the gateway',
  commands: [
    {
      name: 'run',
      summary: 'run a replica until SIGTERM, which drains it',
      options: roleOptions,
      notes:
        'Each key can also be set by the environment: CAUSEWAY_GATEWAY_LINK_PORT is link.port. The log is on stdout, one JSON object a line.',
      examples: [
        'gateway run --config gateway.yaml',
        'gateway run --config gateway.yaml --set link.port=9001 --set log=debug',
      ],
      run,
    },
  ],
};

async function run(input: CommandInput): Promise<void> {
  // Loaded for this command only: the others start without a gateway in memory.
  const { gatewayConfigSchema, startReplica } = await import('../gateway/index.ts');
  const file = input.text('config');
  const read = async () => {
    const warn = (message: string): void => void process.stderr.write(`causeway: ${message}\n`);
    const config = await loadConfig(gatewayConfigSchema, {
      file,
      env: process.env,
      envPrefix: 'CAUSEWAY_GATEWAY',
      flags: settingsOf(input),
      warn,
    });
    const { snapshots } = config.cache;
    return {
      ...config,
      keys: beside(file, config.keys),
      cache: { ...config.cache, ...(snapshots === undefined ? {} : { snapshots: beside(file, snapshots) }) },
      store: { ...config.store, path: beside(file, config.store.path) },
    };
  };
  const config = await read();
  const log = roleLog('gateway', config.log);
  const replica = await startReplica({ config, log, version: readVersion() });
  tellParent({ event: 'started', ports: replica.ports });
  await untilEnd({ name: 'the replica', log, reread: read, close: (reason) => replica.close(reason) });
}
