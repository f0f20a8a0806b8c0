import { messageOf, type ErrorCause } from '../../base/index.ts';
import { fingerprintOfRoot, parseTrustBundle } from '../../certs/index.ts';
import type { ResourceHooks, ResourceType } from '../../resources/index.ts';
import { age, fleetType, memberOf, text } from './fleet-type.ts';

/** There is one bundle. */
export const trustBundleName = 'fleet';

const MAX_PEM = 32 * 1024;

/** The roots that the fleet trusts, as `causeway ca rotate` moves them. */
export const trustBundleType: ResourceType = fleetType({
  kind: 'TrustBundle',
  resource: 'trustbundles',
  shortNames: ['tb'],
  schema: {
    type: 'object',
    description:
      'The roots that the fleet trusts, and its issuer of edges. There is one, `fleet`; `causeway ca rotate` writes it.',
    required: ['spec'],
    properties: {
      spec: {
        type: 'object',
        description: 'What replicas and agents are to trust and to use.',
        required: ['bundle'],
        properties: {
          bundle: text('The roots, PEM, below a serial and signatures by roots that are trusted already.', MAX_PEM),
          retired: text(
            'Roots that are trusted for one thing only: that an edge which was away renews a certificate from before. PEM; the bundle names them too, so that its signatures cover them.',
            MAX_PEM,
          ),
          issuer: {
            type: 'string',
            pattern: '^[0-9a-f]{40}$',
            description:
              'Key identifier of the issuer that edges are to have their certificates from; others renew. Default any.',
          },
        },
      },
    },
  },
  columns: [
    { name: 'Version', type: 'string', priority: 0, value: ({ spec }) => versionOf(memberOf(spec, 'bundle')) },
    { name: 'Roots', type: 'integer', priority: 0, value: ({ spec }) => rootsIn(memberOf(spec, 'bundle')) },
    { name: 'Issuer', type: 'string', priority: 1, value: '.spec.issuer' },
    age,
  ],
});

/** `refusal` says why the replica that is written to would not take a bundle; undefined when it would. */
export function trustBundleHooks(refusal: (bundle: string) => string | undefined): ResourceHooks {
  return {
    validate: ({ metadata, spec }, old) => {
      const bundle = memberOf(spec, 'bundle');
      const retired = memberOf(spec, 'retired');
      const isNew = typeof bundle === 'string' && bundle !== memberOf(old?.['spec'], 'bundle');
      return [
        ...(metadata.name === trustBundleName
          ? []
          : [invalid('metadata.name', `there is one, and its name is ${trustBundleName}`)]),
        ...(isNew ? wrong('spec.bundle', () => refusal(bundle)) : []),
        ...(typeof retired === 'string' && retired !== memberOf(old?.['spec'], 'retired')
          ? wrong('spec.retired', () => retiredRefusal(retired, bundle))
          : []),
      ];
    },
  };
}

/** Replicas would not take it: nobody has signed that this root may still count for anything. */
function retiredRefusal(retired: string, bundle: unknown): string | undefined {
  const { roots } = parseTrustBundle(retired);
  const signed = typeof bundle === 'string' ? parseTrustBundle(bundle).retired : [];
  return roots.every((root) => signed.includes(fingerprintOfRoot(root)))
    ? undefined
    : 'the bundle does not name this root as retired';
}

function wrong(field: string, check: () => string | undefined): readonly ErrorCause[] {
  try {
    const reason = check();
    return reason === undefined ? [] : [invalid(field, reason)];
  } catch (error) {
    return [invalid(field, messageOf(error))];
  }
}

function invalid(field: string, message: string): ErrorCause {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${message}` };
}

function versionOf(bundle: unknown): string {
  try {
    return typeof bundle === 'string' ? parseTrustBundle(bundle).version : '';
  } catch {
    return '';
  }
}

function rootsIn(bundle: unknown): number {
  return typeof bundle === 'string' ? bundle.split('-----BEGIN CERTIFICATE-----').length - 1 : 0;
}
