import { existsSync } from 'node:fs';
import { loadKeyStore } from '../certs/index.ts';
import { Api, connect, loadClientConfig, type ClientConfig, type ConnectOptions, type Fleet } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, OptionSpec } from './command-line.ts';

/** `--config`, the same for every command that is a client of the gateway. */
export const clientOption: OptionSpec = {
  flags: '-c, --config FILE',
  help: 'client.yaml (default: $CAUSEWAY_CONFIG, or ./.causeway-dev/client.yaml)',
};

const DEV_CONFIG = '.causeway-dev/client.yaml';

/** Reads the client's configuration. Throws `client-config-missing`, `config-missing`, `config-invalid`. */
export async function clientConfig(input: CommandInput): Promise<ClientConfig> {
  const given = input.text('config') ?? process.env['CAUSEWAY_CONFIG'];
  if (given !== undefined && given !== '') return loadClientConfig(given);
  if (!existsSync(DEV_CONFIG)) throw cliError('client-config-missing');
  return loadClientConfig(DEV_CONFIG);
}

/** Opens the replicas' API for one command, and closes it. */
export async function withApi<T>(input: CommandInput, use: (api: Api) => Promise<T>): Promise<T> {
  const config = await clientConfig(input);
  const api = new Api(
    config.replicas.map((replica) => replica.api),
    await loadKeyStore(config.keys, config.keyPassword),
  );
  try {
    return await use(api);
  } finally {
    await api.close();
  }
}

/** Connects to the fleet by links, for one command, and closes them. */
export async function withFleet<T>(
  input: CommandInput,
  use: (fleet: Fleet) => Promise<T>,
  onEvent?: ConnectOptions['onEvent'],
): Promise<T> {
  await using fleet = await connect({
    config: await clientConfig(input),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  return await use(fleet);
}
