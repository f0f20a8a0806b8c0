import { emergencyDenyPath, parseEmergencyAnswer, type EmergencyAnswer } from '../api/index.ts';
import { CodedError, messageOf } from '../base/index.ts';
import { loadKeyStore } from '../certs/index.ts';
import { Api, type ClientConfig } from '../sdk/index.ts';

/** What one replica made of an emergency order; `failure`: it did not answer, or refused. */
export type EmergencyResult =
  | { readonly api: string; readonly answer: EmergencyAnswer }
  | { readonly api: string; readonly failure: string; readonly code: string };

/** Who needs an edge gone does not wait longer for a replica that does not answer. */
const WITHIN_MS = 4000;

/** Tells every replica to keep an edge out, or to lift that; each by itself, since in an emergency none may hear of another. */
export async function tellReplicas(
  config: ClientConfig,
  order: { readonly edge: string; readonly lift: boolean; readonly reason: string },
): Promise<readonly EmergencyResult[]> {
  const keys = await loadKeyStore(config.keys, config.keyPassword);
  return await Promise.all(
    config.replicas.map(async ({ api: url }): Promise<EmergencyResult> => {
      const api = new Api([url], keys);
      try {
        const late = new Promise<never>((_resolve, reject) => {
          setTimeout(() => reject(new Error(`no answer within ${WITHIN_MS} ms`)), WITHIN_MS).unref();
        });
        const answered = await Promise.race([api.json('POST', emergencyDenyPath, order), late]);
        return { api: url, answer: parseEmergencyAnswer(answered) };
      } catch (error) {
        return { api: url, failure: messageOf(error), code: error instanceof CodedError ? error.code : '' };
      } finally {
        await api.close();
      }
    }),
  );
}
