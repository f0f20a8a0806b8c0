/** As much of what Kubernetes APIs answer as tests look at; which parts there are, a test knows. */
export interface KubeBody {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly creationTimestamp: string } & {
    readonly continue: string;
  };
  readonly items: readonly KubeBody[];
  readonly resources: readonly { readonly name: string; readonly verbs: readonly string[] }[];
  readonly details?: { readonly causes: readonly { readonly field?: string }[] };
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly { readonly cells: readonly unknown[] }[];
  readonly status: Readonly<Record<string, unknown>>;
}

export interface KubeEvent {
  readonly type: string;
  readonly object: KubeBody;
}

export function bodyIn(text: string | Buffer): KubeBody {
  return JSON.parse(String(text)) as KubeBody;
}

/** The names of a list's objects. */
export function namesIn(text: string | Buffer): string[] {
  return bodyIn(text).items.map(({ metadata }) => metadata.name);
}

/** The whole lines of a watch. */
export function eventsIn(text: string): KubeEvent[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as KubeEvent);
}
