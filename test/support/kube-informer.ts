import {
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  ListWatch,
  Watch,
  type KubernetesListObject,
  type KubernetesObject,
  type RequestContext,
} from '@kubernetes/client-node';

export type InformedObject = KubernetesObject;
export type InformedList = KubernetesListObject<KubernetesObject>;

/** Where an informer looks, and with whose certificate. */
export interface InformerPlace {
  /** As a kubeconfig has it: `https://host:port/edges/edge-1/kube`. */
  readonly server: string;
  /** PEM files. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly resource: 'edgenodes' | 'configmaps';
  /** `any`: lists are the server's memory (`resourceVersion=0`); `live`: the edge is asked each time; `default`: nothing is said. */
  readonly reads: 'any' | 'live' | 'default';
}

/** What happens on the wire, before the informer takes it. */
export interface InformerTap {
  onList(list: InformedList): void;
  onWatch(fromVersion: string): void;
  onEvent(type: string, object: InformedObject): void;
  /** 410, as an answer or within a watch: a list follows. */
  onExpired(): void;
  /** A watch or a list failed; the informer begins again. */
  onError(error: unknown): void;
}

/** What the project's documentation says: a failed informer is started again, after a while. */
const RESTART_MS = 250;

/** The informer of `@kubernetes/client-node`, as its users have it, with a tap on the wire. */
export class KubeInformer {
  readonly #listWatch: ListWatch<KubernetesObject>;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(place: InformerPlace, tap: InformerTap) {
    const config = kubeConfig(place);
    const list = async (): Promise<InformedList> => {
      const answer = await listOnce(config, place);
      tap.onList(answer);
      return answer;
    };
    this.#listWatch = new ListWatch<KubernetesObject>(pathOf(place), new TappedWatch(config, tap), list, false);
    this.#listWatch.on('error', (error) => {
      tap.onError(error);
      this.#startLater();
    });
  }

  /** All that it holds. */
  get objects(): readonly InformedObject[] {
    return this.#listWatch.list();
  }

  async start(): Promise<void> {
    await this.#listWatch.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#listWatch.stop();
  }

  #startLater(): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.start(), RESTART_MS);
  }
}

class TappedWatch extends Watch {
  readonly #tap: InformerTap;

  constructor(config: KubeConfig, tap: InformerTap) {
    super(config);
    this.#tap = tap;
  }

  override async watch(...[path, query, callback, done]: Parameters<Watch['watch']>): Promise<AbortController> {
    this.#tap.onWatch(String(query['resourceVersion']));
    const onEvent = (type: string, object: KubernetesObject, whole: unknown): void => {
      if (type === 'ERROR' && 'code' in object && object.code === 410) this.#tap.onExpired();
      else this.#tap.onEvent(type, object);
      callback(type, object, whole);
    };
    const onDone = (error: unknown): void => {
      if (error instanceof Error && 'statusCode' in error && error.statusCode === 410) this.#tap.onExpired();
      done(error);
    };
    return await super.watch(path, query, onEvent, onDone);
  }
}

/** One that asks the edge itself. */
class LiveConfig extends KubeConfig {
  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    context.setHeaderParam('Cache-Control', 'no-cache');
  }
}

function kubeConfig({ server, tls, reads }: InformerPlace): KubeConfig {
  const config = reads === 'live' ? new LiveConfig() : new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'here', server, caFile: tls.ca, skipTLSVerify: false }],
    users: [{ name: 'me', certFile: tls.cert, keyFile: tls.key }],
    contexts: [{ name: 'here', cluster: 'here', user: 'me' }],
    currentContext: 'here',
  });
  return config;
}

function pathOf({ resource }: InformerPlace): string {
  return resource === 'configmaps' ? '/api/v1/configmaps' : '/apis/causeway.io/v1/edgenodes';
}

async function listOnce(config: KubeConfig, { resource, reads }: InformerPlace): Promise<InformedList> {
  const version = reads === 'any' ? { resourceVersion: '0' } : {};
  if (resource === 'configmaps')
    return await config.makeApiClient(CoreV1Api).listConfigMapForAllNamespaces({ ...version });
  const edgeNodes = { group: 'causeway.io', version: 'v1', plural: 'edgenodes' };
  return (await config
    .makeApiClient(CustomObjectsApi)
    .listClusterCustomObject({ ...edgeNodes, ...version })) as InformedList;
}
