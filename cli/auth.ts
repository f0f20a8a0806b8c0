import { isDnsLabel } from '../base/index.ts';
import { KubeApi, type Api } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import { withApi } from './client.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { targetOptions } from './kube-target.ts';
import { outputOption, show, table } from './output.ts';

const REVIEWS = '/apis/authorization.k8s.io/v1';

export const authCommand: CommandSpec = {
  name: 'auth',
  summary: 'say who may do what, and why',
  commands: [
    {
      name: 'can-i',
      summary: 'ask whether a policy allows something, and which rule decides',
      arguments: ['[VERB]', '[WHAT]'],
      options: [
        {
          flags: '--service SERVICE',
          help: 'with --edge: a service; WHAT is a path there, or nothing for a connection',
        },
        { flags: '-n, --namespace NAMESPACE', help: 'the namespace (default: default)' },
        { flags: '-A, --all-namespaces', help: 'in all namespaces' },
        { flags: '--subresource NAME', help: 'log, exec, status ...' },
        { flags: '--as PRINCIPAL', help: 'about somebody else, operator/alice; for who may ask that' },
        { flags: '--list', help: 'everything that is allowed' },
        ...targetOptions,
        outputOption,
      ],
      notes: `VERB is get, list, watch, create, update, patch, delete, deletecollection, connect, or *.
WHAT is a resource, RESOURCE/NAME, a path, or with connect an address HOST:PORT.
Exit codes: 0 yes, 4 no.`,
      examples: [
        'auth can-i list edgenodes',
        'auth can-i get pods --edge edge-1 -n shop --subresource log',
        'auth can-i get /time --edge edge-1 --service hello',
        'auth can-i connect --edge edge-1 --service ssh --as operator/alice',
        'auth can-i --list --edge edge-1',
      ],
      run: canI,
    },
    {
      name: 'whoami',
      summary: 'show who the gateway takes you for',
      options: [...targetOptions.slice(0, 1), outputOption],
      examples: ['auth whoami'],
      run: whoAmI,
    },
  ],
};

interface AccessStatus {
  readonly allowed: boolean;
  readonly reason?: string;
  readonly evaluationError?: string;
}

interface Rules {
  readonly resourceRules: readonly {
    readonly verbs: readonly string[];
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
  }[];
  readonly nonResourceRules: readonly {
    readonly verbs: readonly string[];
    readonly nonResourceURLs: readonly string[];
  }[];
  readonly evaluationError?: string;
}

async function canI(input: CommandInput): Promise<void> {
  const edge = input.text('edge');
  if (edge !== undefined && !isDnsLabel(edge)) throw cliError('usage', `${JSON.stringify(edge)} is no name of an edge`);
  if (input.flag('list')) return await listAllowed(input, edge);
  const [verb, what = ''] = input.arguments;
  if (verb === undefined) throw cliError('usage', 'take VERB and WHAT, or --list');
  await withApi(input, async (api) => {
    const { prefix, attributes } = await questionOf(input, api, verb, what);
    const user = input.text('as');
    const kind = user === undefined ? 'SelfSubjectAccessReview' : 'SubjectAccessReview';
    const spec = { ...attributes, ...(user === undefined ? {} : { user }) };
    const { allowed, reason = '', evaluationError } = await review<AccessStatus>(api, prefix, kind, spec);
    const why = evaluationError ?? reason;
    const answer = allowed ? 'yes' : 'no';
    show(input, {
      value: { allowed, rule: reason, ...(evaluationError === undefined ? {} : { error: evaluationError }) },
      names: [answer],
      text: () => `${answer}: ${why}\n`,
    });
    if (!allowed) throw cliError('not-allowed', why);
  });
}

/** Where it is asked, and what: a path at a service is one of the gateway's, an object is asked for at its API. */
async function questionOf(
  input: CommandInput,
  api: Api,
  verb: string,
  what: string,
): Promise<{ readonly prefix: string; readonly attributes: object }> {
  const edge = input.text('edge');
  const service = input.text('service');
  const ofPath = (path: string) => ({ prefix: '', attributes: { nonResourceAttributes: { verb, path } } });
  if (service !== undefined) {
    if (edge === undefined || !isDnsLabel(service))
      throw cliError('usage', '--service takes a name, and goes with --edge');
    if (what !== '' && !what.startsWith('/')) throw cliError('usage', 'with --service WHAT is a path, or nothing');
    return ofPath(`/edges/${edge}/${service}${what}`);
  }
  if (what === '') throw cliError('usage', 'take VERB and WHAT, or VERB with --edge and --service');
  if (verb === 'connect' && edge !== undefined) return ofPath(`/edges/${edge}/${what}`);
  if (what.startsWith('/')) return ofPath(edge === undefined ? what : `/edges/${edge}/kube${what}`);

  const prefix = edge === undefined ? '' : `/edges/${edge}/kube`;
  const [named = '', name = ''] = what.split('/', 2);
  const { group, resource, namespaced } = await resourceOf(new KubeApi(api, prefix), named);
  const isEverywhere = !namespaced || input.flag('allNamespaces');
  const namespace = isEverywhere ? '' : (input.text('namespace') ?? 'default');
  const subresource = input.text('subresource') ?? '';
  return { prefix, attributes: { resourceAttributes: { verb, group, resource, subresource, namespace, name } } };
}

/** What a name means is asked of the API; of one that does not tell, `RESOURCE.GROUP` is taken as it is written. */
async function resourceOf(
  kube: KubeApi,
  name: string,
): Promise<{ readonly group: string; readonly resource: string; readonly namespaced: boolean }> {
  const dot = name.indexOf('.');
  const written = {
    resource: dot === -1 ? name : name.slice(0, dot),
    group: name === '*' ? '*' : dot === -1 ? '' : name.slice(dot + 1),
    namespaced: name !== '*',
  };
  if (name === '*') return written;
  try {
    return await kube.discovery.find(name);
  } catch {
    return written;
  }
}

async function listAllowed(input: CommandInput, edge: string | undefined): Promise<void> {
  if (input.text('as') !== undefined)
    throw cliError('usage', 'what others may do is listed by `causeway get accesspolicies`; --list is about yourself');
  const prefix = edge === undefined ? '' : `/edges/${edge}/kube`;
  const namespace = input.flag('allNamespaces') ? '' : (input.text('namespace') ?? 'default');
  await withApi(input, async (api) => {
    const rules = await review<Rules>(api, prefix, 'SelfSubjectRulesReview', { namespace });
    const rows = [
      ...rules.resourceRules.flatMap(({ resources, apiGroups, verbs }) =>
        resources.flatMap((resource) => apiGroups.map((group) => [nameOf(resource, group), verbs.join(',')])),
      ),
      ...rules.nonResourceRules.flatMap(({ nonResourceURLs, verbs }) =>
        nonResourceURLs.map((path) => [path, verbs.join(',')]),
      ),
    ];
    const names = rows.flatMap(([what = '']) => what);
    show(input, { value: rules, names, text: () => table(['WHAT', 'VERBS'], rows) });
    if (rules.evaluationError !== undefined) process.stderr.write(`causeway: ${rules.evaluationError}\n`);
  });
}

function nameOf(resource: string, group: string): string {
  if (group === '' || resource === '*') return group === '' || group === '*' ? resource : `${resource}.${group}`;
  const [named = '', ...below] = resource.split('/');
  return [`${named}.${group}`, ...below].join('/');
}

function whoAmI(input: CommandInput): Promise<void> {
  return withApi(input, async (api) => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const answer = (await api.json('POST', path, body)) as {
      readonly status: { readonly userInfo: { username: string } };
    };
    const { username } = answer.status.userInfo;
    show(input, { value: { principal: username }, names: [username], text: () => `${username}\n` });
  });
}

async function review<T>(api: Api, prefix: string, kind: string, spec: object): Promise<T> {
  const body = { apiVersion: 'authorization.k8s.io/v1', kind, spec };
  const answer = await api.json('POST', `${prefix}${REVIEWS}/${kind.toLowerCase()}s`, body);
  // The replica's own answer, whose form is Kubernetes'.
  return (answer as { readonly status: T }).status;
}
