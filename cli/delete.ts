import { CodedError, type FoundResource, type KubeApi } from '../sdk/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, CommandSpec } from './command-line.ts';
import { namespaceOption, resourceAndNames, shownName, targetOptions, withKube } from './kube-target.ts';
import { readManifests } from './manifest.ts';
import { print } from './terminal.ts';

export const deleteCommand: CommandSpec = {
  name: 'delete',
  summary: 'delete objects, by name or by the files that they came from',
  arguments: ['[RESOURCE]', '[NAME...]'],
  options: [
    ...targetOptions,
    namespaceOption,
    { flags: '-f, --file FILE', help: 'delete the objects of a file; - is the standard input', many: true },
    { flags: '--ignore-not-found', help: 'what is not there is no failure' },
    { flags: '--dry-run', help: 'the server checks everything, and nothing is done' },
  ],
  notes: 'It does not wait for what finalizers keep.',
  examples: [
    'delete jointokens t-1',
    'delete pods web-0 web-1 --edge edge-1 -n shop',
    'delete -f vm.yaml --edge edge-1',
  ],
  run: remove,
};

async function remove(input: CommandInput): Promise<void> {
  const files = input.list('file');
  const { resource: wanted, names } = resourceAndNames(input.arguments);
  if (files.length > 0 && wanted !== '') throw cliError('usage', 'take either RESOURCE NAME... or -f FILE');
  if (files.length === 0 && (wanted === '' || names.length === 0))
    throw cliError('usage', 'take RESOURCE NAME..., or -f FILE');
  await withKube(input, async (kube) => {
    if (files.length > 0) {
      // What was made last may need what was made first.
      for (const { resource, namespace, object } of (
        await readManifests(kube, files, input.text('namespace'))
      ).toReversed())
        await removeOne(input, kube, resource, namespace, object.metadata.name);
      return;
    }
    const resource = await kube.discovery.find(wanted);
    const namespace = resource.namespaced ? (input.text('namespace') ?? 'default') : '';
    for (const name of names) await removeOne(input, kube, resource, namespace, name);
  });
}

async function removeOne(
  input: CommandInput,
  kube: KubeApi,
  resource: FoundResource,
  namespace: string,
  name: string,
): Promise<void> {
  const isDryRun = input.flag('dryRun');
  try {
    await kube.client.delete(resource, { namespace, name }, { query: { dryRun: isDryRun ? 'All' : undefined } });
    print(`${shownName(resource, name)} deleted${isDryRun ? ' (dry run)' : ''}\n`);
  } catch (error) {
    const isMissing = error instanceof CodedError && error.code === 'object-not-found';
    if (!isMissing || !input.flag('ignoreNotFound')) throw error;
  }
}
