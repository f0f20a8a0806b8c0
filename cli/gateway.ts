import { loadConfig } from '../base/index.ts';
import type { GatewayConfig } from '../gateway/index.ts';
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
      options: [
        ...roleOptions,
        { flags: '--proxy-protocol', help: 'a load balancer before the link listener writes PROXY protocol headers' },
      ],
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

/** What `--set` says, and the flags that are short for it. */
function flagsOf(input: CommandInput): Readonly<Record<string, unknown>> {
  const settings = settingsOf(input);
  if (!input.flag('proxyProtocol')) return settings;
  const { link } = settings;
  return { ...settings, link: { ...(typeof link === 'object' ? link : {}), proxyProtocol: 'v1v2' } };
}

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
      flags: flagsOf(input),
      warn,
    });
    const { snapshots } = config.cache;
    const { file: auditFile } = config.audit;
    const { issuer, agentFiles, keyPassword } = config;
    return {
      ...config,
      keys: beside(file, config.keys),
      ...(keyPassword === undefined ? {} : { keyPassword: beside(file, keyPassword) }),
      cache: { ...config.cache, ...(snapshots === undefined ? {} : { snapshots: beside(file, snapshots) }) },
      ...(config.emergency === undefined ? {} : { emergency: beside(file, config.emergency) }),
      ...(issuer === undefined
        ? {}
        : { issuer: { ...issuer, cert: beside(file, issuer.cert), key: beside(file, issuer.key) } }),
      ...(agentFiles === undefined ? {} : { agentFiles: beside(file, agentFiles) }),
      store: storeBeside(file, config.store),
      audit: { ...config.audit, ...(auditFile === undefined ? {} : { file: beside(file, auditFile) }) },
    };
  };
  const config = await read();
  const log = roleLog('gateway', config.log);
  const replica = await startReplica({ config, log, version: readVersion() });
  tellParent({ event: 'started', ports: replica.ports });
  await untilEnd({
    name: 'the replica',
    log,
    reread: read,
    reload: () => replica.reload(),
    close: (reason) => replica.close(reason),
  });
}

/** The store's configuration, with its paths as they are from where the file is. */
function storeBeside(file: string | undefined, { path, etcd }: GatewayConfig['store']): GatewayConfig['store'] {
  if (etcd === undefined) return path === undefined ? {} : { path: beside(file, path) };
  const { ca, cert, key, passwordFile } = etcd;
  return {
    etcd: {
      ...etcd,
      ...(ca === undefined ? {} : { ca: beside(file, ca) }),
      ...(cert === undefined ? {} : { cert: beside(file, cert) }),
      ...(key === undefined ? {} : { key: beside(file, key) }),
      ...(passwordFile === undefined ? {} : { passwordFile: beside(file, passwordFile) }),
    },
  };
}
