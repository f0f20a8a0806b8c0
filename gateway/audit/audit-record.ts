import { auditNumberFields, auditTextFields, type AuditEvent } from '../../api/index.ts';

type TextField = keyof typeof auditTextFields;

const textNames = Object.keys(auditTextFields) as TextField[];

/**
 * An event as a line of JSON with `\n`, its fields always in the same order. Long texts are cut; queries of paths and what
 * looks like a secret is taken out; what could change how a line is shown (controls, and characters that turn the
 * direction of text) is escaped.
 */
export function encodeRecord(event: AuditEvent, time: string, replica: string): string {
  const line = encoded(event, time, replica, (text) => text);
  return suspect.test(line) ? encoded(event, time, replica, withoutSecrets) : line;
}

function encoded(event: AuditEvent, time: string, replica: string, clean: (text: string) => string): string {
  const line: Record<string, string | number> = { time, replica };
  for (const name of textNames) {
    const value = name === 'edge' ? edgeOf(event) : event[name];
    if (typeof value === 'string' && (value !== '' || name === 'principal')) line[name] = textOf(name, value, clean);
  }
  for (const name of auditNumberFields) {
    const value = event[name];
    if (value !== undefined && Number.isFinite(value)) line[name] = Math.max(0, Math.round(value));
  }
  return `${escaped(JSON.stringify(line))}\n`;
}

/** What an edge does is about that edge. */
function edgeOf({ edge, principal }: AuditEvent): string | undefined {
  return edge ?? (principal.startsWith('edge/') ? principal.slice('edge/'.length) : undefined);
}

function textOf(name: TextField, value: string, clean: (text: string) => string): string {
  const max = auditTextFields[name];
  // Cut before it is searched, too: what a peer chose may be long.
  const short = value.slice(0, 4 * max);
  const told = name === 'path' ? withoutQuery(short) : name === 'remote' ? withoutPort(short) : short;
  const plain = clean(told);
  return (plain.length <= max ? plain : `${plain.slice(0, max - 1)}…`).toWellFormed();
}

function withoutQuery(path: string): string {
  const end = path.search(/[?#]/u);
  return end === -1 ? path : path.slice(0, end);
}

/** The address alone: it is what refusals are counted by, and what is looked for. */
function withoutPort(remote: string): string {
  return /^((?:::ffff:)?\d+(?:\.\d+){3}):\d+$/iu.exec(remote)?.[1] ?? remote;
}

/** What none of the patterns below can be without: most lines need not be looked through by all of them. */
const suspect = /cwt1|-----BEGIN|bearer|basic|negotiate|eyJ|:\/\/|pass|secret|token|key|\?/iu;

/** What no caller should give, and messages of foreign errors may repeat. */
const secrets: readonly (readonly [RegExp, string])[] = [
  [/\bcwt1\.([0-9a-f]{0,16})[\w.-]*/giu, 'cwt1.$1.[secret]'],
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*/gu, '[secret]'],
  [/\b(bearer|basic|negotiate)\s+[\w.~+/=-]{8,}/giu, '$1 [secret]'],
  [/\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?/gu, '[secret]'],
  [/(:\/\/)[^\s/@]+@/gu, '$1[secret]@'],
  [/\b(password|passphrase|passwd|secret|token|api-?key)(["']?\s?[=:]\s?["']?)[^\s"'&,;]+/giu, '$1$2[secret]'],
  [/\?[^\s"'?=]*=[^\s"']*/gu, '?[query]'],
];

function withoutSecrets(text: string): string {
  let plain = text;
  for (const [pattern, instead] of secrets) plain = plain.replace(pattern, instead);
  return plain;
}

/** JSON itself escapes the controls below the space. */
function escaped(json: string): string {
  return json.replaceAll(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
