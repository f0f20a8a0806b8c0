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
  /** The file with the password of the key, where that is encrypted; relative to the file. */
  keyPassword: z.string().exactOptional(),
});

export type ClientConfig = z.output<typeof clientConfigSchema>;

/** Reads `client.yaml`; relative paths are taken from where the file is. Errors: `config-missing`, `config-invalid`. */
export async function loadClientConfig(file: string): Promise<ClientConfig> {
  const config = await loadConfig(clientConfigSchema, { file });
  const beside = (path: string): string => (isAbsolute(path) ? path : resolve(dirname(file), path));
  const { keys, keyPassword } = config;
  return { ...config, keys: beside(keys), ...(keyPassword === undefined ? {} : { keyPassword: beside(keyPassword) }) };
}
