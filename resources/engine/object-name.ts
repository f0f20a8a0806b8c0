import { randomInt } from 'node:crypto';
import type { ResourceType } from '../types/resource-type.ts';

/** What a name of this type has to look like. */
export interface NameSyntax {
  /** What is wrong with the name; undefined: nothing. */
  problemOf(name: string): string | undefined;
}

const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const serviceLabel = /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

const dnsLabel = byPattern(label, 63, 'a DNS label: a-z, 0-9 and -, with a letter or digit at both ends');
const dnsSubdomain = byPattern(subdomain, 253, 'a DNS name in lower case: a-z, 0-9, - and .');
const dnsServiceLabel = byPattern(serviceLabel, 63, 'a DNS label that begins with a letter');
const pathSegment: NameSyntax = {
  problemOf: (name) =>
    name === '' || name === '.' || name === '..' || /[/%]/.test(name)
      ? 'must not be empty, "." or "..", or contain "/" or "%"'
      : undefined,
};

/** Types that are stricter, or laxer, than the rest. */
const byResource: Readonly<Record<string, NameSyntax>> = {
  '/namespaces': dnsLabel,
  '/services': dnsServiceLabel,
  'rbac.authorization.k8s.io/roles': pathSegment,
  'rbac.authorization.k8s.io/rolebindings': pathSegment,
  'rbac.authorization.k8s.io/clusterroles': pathSegment,
  'rbac.authorization.k8s.io/clusterrolebindings': pathSegment,
};

export function nameSyntaxOf({ group, resource }: Pick<ResourceType, 'group' | 'resource'>): NameSyntax {
  const key = `${group}/${resource}`;
  return (Object.hasOwn(byResource, key) ? byResource[key] : undefined) ?? dnsSubdomain;
}

/** What a namespace is called. */
export const namespaceSyntax: NameSyntax = dnsLabel;

/** Kubernetes' alphabet for generated names: no vowels, so that no words come out, and nothing that looks like another. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
/** What is generated is a DNS label at most, whatever the prefix. */
const maxGeneratedLength = 63;

/** A name that begins with `prefix`. It may exist already: then another one has to be made. */
export function generateName(prefix: string, random: (below: number) => number = randomInt): string {
  const suffix = Array.from({ length: suffixLength }, () => suffixAlphabet[random(suffixAlphabet.length)]).join('');
  return prefix.slice(0, maxGeneratedLength - suffixLength) + suffix;
}

function byPattern(pattern: RegExp, maxLength: number, description: string): NameSyntax {
  return {
    problemOf: (name) =>
      name.length > maxLength
        ? `must be no more than ${maxLength} characters`
        : pattern.test(name)
          ? undefined
          : `must be ${description}`,
  };
}
