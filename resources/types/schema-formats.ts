import { isIP, isIPv4, isIPv6 } from 'node:net';

type StringFormat = (text: string) => boolean;

const quantityPattern = /^[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d{1,4})?$/;
const timePattern = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** The formats of strings that are checked; as in Kubernetes any other is a note for the reader. */
export const stringFormats: Readonly<Record<string, StringFormat>> = {
  'date-time': (text) => timePattern.test(text) && !Number.isNaN(Date.parse(text)),
  'date': (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  'duration': (text) => /^[+-]?(?:0|(?:\d{1,18}(?:\.\d{0,18})?(?:ns|us|µs|ms|s|m|h)){1,12})$/.test(text),
  'quantity': (text) => quantityPattern.test(text),
  'byte': (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
  'ipv4': (text) => isIPv4(text),
  'ipv6': (text) => isIPv6(text),
  'ip': (text) => isIP(text) !== 0,
  'cidr': isCidr,
  'mac': (text) => /^[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2}){4}$/.test(text),
  'uuid': (text) => /^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/.test(text),
  'uri': (text) => text.length <= 8192 && URL.canParse(text),
  'hostname': (text) =>
    text.length <= 253 &&
    text.split('.').every((label) => /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/.test(label)),
  'email': (text) => text.length <= 320 && /^[^\s@]+@[^\s@]+$/.test(text),
};

/** The formats of numbers that are checked. */
export const numberFormats: Readonly<Record<string, (value: number) => boolean>> = {
  int32: (value) => value >= -(2 ** 31) && value < 2 ** 31,
  int64: (value) => value >= -(2 ** 63) && value < 2 ** 63,
};

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const family = isIP(address);
  return family !== 0 && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}
