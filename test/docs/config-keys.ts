import { environmentName, type z } from '../../base/index.ts';
import { describeAllowed, shapeOf, variantsOf, type SchemaShape } from '../../base/schema.ts';
import { agentConfigSchema } from '../../edge-agent/agent-config.ts';
import { gatewayConfigSchema } from '../../gateway/gateway-config.ts';
import { clientConfigSchema } from '../../sdk/client-config.ts';
import type { PageTable } from './pages.ts';

/** A key of a configuration file, as its schema has it. */
interface Key {
  /** `link.port`; `services[].url` for what stands in each entry of a list. */
  readonly path: string;
  /** In a union a key takes what any of the members takes. */
  readonly takes: ReadonlySet<string>;
  /** As YAML; undefined where there is none. */
  readonly fallback: string | undefined;
  readonly required: boolean;
}

/** What `SchemaShape` leaves out: it is not needed to check a value. */
interface DocumentedShape extends SchemaShape {
  readonly default?: unknown;
  readonly required?: readonly string[];
}

/** The tables of `docs/configuration.md`: one a file. */
export function configTables(): PageTable[] {
  return [
    configTable('gateway.yaml', gatewayConfigSchema, 'CAUSEWAY_GATEWAY'),
    configTable('agent.yaml', agentConfigSchema, 'CAUSEWAY_AGENT'),
    configTable('client.yaml', clientConfigSchema, undefined),
  ];
}

function configTable(name: string, schema: z.ZodType, envPrefix: string | undefined): PageTable {
  const rows = keysIn(shapeOf(schema), '').map(({ path, takes, fallback, required }) => {
    const variable =
      envPrefix === undefined || path.includes('[]') ? [] : [code(environmentName(envPrefix, path.split('.')))];
    const variables = envPrefix === undefined ? [] : [variable[0] ?? ''];
    return [
      code(path),
      [...takes].join(' or '),
      fallback === undefined ? (required ? 'required' : '') : code(fallback),
      ...variables,
    ];
  });
  const variables = envPrefix === undefined ? [] : ['variable'];
  return {
    page: 'docs/configuration.md',
    name,
    head: ['key', 'takes', 'default', ...variables, 'what it does'],
    rows,
    prose: true,
  };
}

function keysIn(shape: DocumentedShape, prefix: string): Key[] {
  const found = new Map<string, Key>();
  for (const variant of variantsOf(shape) as readonly DocumentedShape[]) {
    for (const [name, child] of Object.entries(variant.properties ?? {}) as [string, DocumentedShape][]) {
      const path = `${prefix}${name}`;
      const required = variant.required?.includes(name) === true;
      const known = found.get(path);
      const takes = new Set([...(known?.takes ?? []), allowed(child)]);
      const fallback = child.default === undefined || isObject(child) ? undefined : JSON.stringify(child.default);
      found.set(path, { path, takes, fallback, required: required && known?.required !== false });
      const inner = [
        ...keysIn(child, `${path}.`),
        ...(child.items === undefined ? [] : keysIn(child.items, `${path}[].`)),
      ];
      for (const key of inner) found.set(key.path, key);
    }
  }
  return [...found.values()];
}

function allowed(shape: SchemaShape): string {
  if (isObject(shape)) return 'object';
  if (shape.type === 'array') return isObject(shape.items ?? {}) ? 'list of objects' : 'list of strings';
  if (shape.const !== undefined || shape.enum !== undefined) return code(describeAllowed(shape).replaceAll('"', ''));
  if (shape.exclusiveMinimum === 0) return `${shape.type} above 0`;
  return describeAllowed(shape)
    .replace(/ matching .*$/u, '')
    .replace('string uri', 'URL');
}

function isObject(shape: SchemaShape): boolean {
  return variantsOf(shape).some((variant) => variant.type === 'object');
}

function code(text: string): string {
  return `\`${text}\``;
}
