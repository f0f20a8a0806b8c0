import { execFileSync } from 'node:child_process';
import { userInfo } from 'node:os';
import type { Test } from 'tap';

/** Addresses of the center and of the edge; nothing outside of the two namespaces has or reaches them. */
export const centerAddress = '10.77.0.1';
const edgeAddress = '10.77.0.2';

/** For `skip`: only root makes network namespaces. Under CI nothing is left out. */
export const withoutNamespaces: string | false =
  userInfo().uid === 0 || process.env['CI'] === 'true' ? false : 'only root makes network namespaces: run it as root';

/** Two network namespaces, the center's and an edge's, joined by a wire and by nothing else. They go with the test. */
export class TwoNetworks {
  readonly center: string;
  readonly edge: string;

  static open(t: Test): TwoNetworks {
    const networks = new TwoNetworks();
    t.teardown(() => networks.#close());
    const { center, edge } = networks;
    ip('netns', 'add', center);
    ip('netns', 'add', edge);
    ip('link', 'add', 'wire', 'netns', center, 'type', 'veth', 'peer', 'name', 'wire', 'netns', edge);
    for (const [name, address] of [
      [center, centerAddress],
      [edge, edgeAddress],
    ] as const) {
      ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'wire');
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', 'wire', 'up');
    }
    return networks;
  }

  private constructor() {
    this.center = `causeway-c-${process.pid}`;
    this.edge = `causeway-e-${process.pid}`;
  }

  #close(): void {
    for (const name of [this.center, this.edge]) {
      try {
        ip('netns', 'del', name);
      } catch {
        // It was not made.
      }
    }
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], env: pathWithSbin() });
}

/** Of a user's shell, sbin is often not on the path. */
export function pathWithSbin(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
}
