/** What a folder may import. */
export interface Layer {
  /** Folders whose `index.ts` it may import. */
  readonly mayImport: readonly string[];
  /** Folders of which it may import types only: nothing of them runs there. */
  readonly mayImportTypes?: readonly string[];
  /** Files outside it that it may import besides; for a process that starts another by its entry point. */
  readonly mayStart?: readonly string[];
}

/**
 * The arrows between folders, as docs/architecture.md draws them: what is not in this table is not allowed. Every folder
 * of the product stands here; tests and benchmarks may import anything and are imported by nobody.
 */
export const layers: Readonly<Record<string, Layer>> = {
  'base': { mayImport: [] },
  'tunnel': { mayImport: ['base'] },
  'certs': { mayImport: ['base'] },
  'store': { mayImport: ['base'] },
  'api': { mayImport: ['base'] },
  'resources': { mayImport: ['store', 'api', 'base'] },
  'sdk': { mayImport: ['tunnel', 'resources', 'certs', 'api', 'base'] },
  'gateway': { mayImport: ['tunnel', 'resources', 'store', 'certs', 'api', 'base'] },
  'edge-agent': { mayImport: ['tunnel', 'resources', 'store', 'certs', 'api', 'base'] },
  'cli': {
    mayImport: ['sdk', 'certs', 'api', 'base'],
    mayStart: ['gateway/index.ts', 'edge-agent/index.ts'],
  },
  'console': { mayImport: [], mayImportTypes: ['api', 'sdk'] },
};

/** Folders that hold no part of the product. */
export const outside: readonly string[] = ['test', 'bench', 'deploy', 'docs'];

/**
 * Each third-party package is imported by one file, so that replacing it changes one file. A package that cannot be
 * held to that stands here with the files that may import it.
 */
export const sharedPackages: Readonly<Record<string, readonly string[]>> = {
  ws: ['tunnel/ws-wire.ts', 'cli/demo/web-socket-echo.ts'],
};
