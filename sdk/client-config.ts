import { isAbsolute, resolve, dirname } from 'node:path';
import { loadConfig, z } from '../base/index.ts';

/** What a client of the gateway needs: `client.yaml`. */
export const clientConfigSchema = z.strictObject({
  /** The replicas; any that answers will do. */
  replicas: z
    .array(
      z.strictObject({
        /** `https://host:port` of the API. */
        api: z.url(),
        /** `host:port` of the link listener. */
        link: z.string().regex(/^.+:\d{1,5}$/u, 'is not host:port'),
      }),
    )
    .min(1),
  /** The folder with the client's key, certificate and trust; relative to the file. */
  keys: z.string(),
});

export type ClientConfig = z.output<typeof clientConfigSchema>;

/** Reads `client.yaml`; a relative `keys` is taken from where the file is. Errors: `config-missing`, `config-invalid`. */
export async function loadClientConfig(file: string): Promise<ClientConfig> {
  const config = await loadConfig(clientConfigSchema, { file });
  return isAbsolute(config.keys) ? config : { ...config, keys: resolve(dirname(file), config.keys) };
}
