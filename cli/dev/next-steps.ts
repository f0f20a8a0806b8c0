import { join, relative, resolve } from 'node:path';
import { packageFolder } from '../version.ts';
import { apiUrl, type DevPlan } from './dev-plan.ts';

/** Commands to try, as they can be pasted into a shell in the folder where `causeway dev` was started. */
export function nextSteps({ folder, files, replicas, edges }: DevPlan): string {
  const causeway = path(join(packageFolder(), 'bin', 'causeway'));
  const [replica] = replicas;
  const edge = edges[0]?.name;
  const isDefault = files.client === resolve('.causeway-dev/client.yaml');
  const commands = [
    ...(isDefault ? [] : [`export CAUSEWAY_CONFIG=${path(files.client)}`]),
    `${causeway} node ls`,
    `${causeway} status`,
    `${causeway} token create --edge edge-9`,
    ...(edge === undefined || replica === undefined
      ? []
      : [
          `${causeway} curl ${edge}/hello/`,
          `${causeway} get nodes --all-edges`,
          `kubectl --kubeconfig ${path(files.kubeconfig)} --context ${edge} get namespaces`,
          `curl --cacert ${path(join(files.operator, 'ca.pem'))} --cert ${path(join(files.operator, 'cert.pem'))} --key ${path(join(files.operator, 'key.pem'))} ${apiUrl(replica)}/edges/${edge}/hello/time`,
          `echo hello | ${causeway} dial ${edge} echo`,
          `${causeway} port-forward ${edge} 8080:hello    # and then: curl http://127.0.0.1:8080/`,
        ]),
  ];
  return `The fleet runs: ${count(replicas.length, 'replica')}, ${count(edges.length, 'edge')}; everything is kept in ${path(folder)}, the logs in ${path(files.logs)}.
Try, in another shell in this folder:

${commands.map((command) => `  ${command}\n`).join('')}
Ctrl-C ends everything.
`;
}

/** The shorter of the relative and the absolute path, quoted where a shell needs it. */
function path(absolute: string): string {
  const near = relative(process.cwd(), absolute) || '.';
  const shown = near.length < absolute.length ? near : absolute;
  return /^[\w@%+=:,./-]+$/u.test(shown) ? shown : `'${shown.replaceAll("'", String.raw`'\''`)}'`;
}

function count(number: number, name: string): string {
  return `${number} ${name}${number === 1 ? '' : 's'}`;
}
