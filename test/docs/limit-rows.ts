import { readPage } from './pages.ts';
import { defaultLimits } from '../../tunnel/index.ts';

/** Each limit of the tunnel with its default and what its comment in `tunnel/limits.ts` says. */
export function limitRows(): string[][] {
  const comments = limitComments(readPage('tunnel/limits.ts'));
  return Object.entries(defaultLimits).map(([name, value]: [string, number]) => {
    return [`\`${name}\``, amount(name, value), comments.get(name) ?? ''];
  });
}

/** The comment above each member; members that share one each get it. */
export function limitComments(source: string): Map<string, string> {
  const members = source.slice(0, source.indexOf('export const defaultLimits'));
  const comments = new Map<string, string>();
  let comment = '';
  for (const [, text, name = ''] of members.matchAll(/\/\*\* ([\s\S]*?) \*\/|readonly (\w+): number;/gu)) {
    if (text === undefined) comments.set(name, comment);
    else comment = text.replaceAll(/\s*\n\s*\*\s*/gu, ' ');
  }
  return comments;
}

/** A number with its unit, as the name's end says: `maxWindowBytes` is 8 MiB. */
export function amount(name: string, value: number): string {
  if (name.endsWith('Bytes')) {
    if (value >= 2 ** 20 && value % 2 ** 20 === 0) return `${value / 2 ** 20} MiB`;
    return value % 1024 === 0 ? `${value / 1024} KiB` : `${value.toLocaleString('en')} bytes`;
  }
  if (name.endsWith('Ms')) return value >= 1000 && value % 1000 === 0 ? `${value / 1000} s` : `${value} ms`;
  return value.toLocaleString('en');
}
