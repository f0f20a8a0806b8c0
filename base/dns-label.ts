/**
 * Whether a name is a DNS-1123 label: 1 to 63 of `a-z 0-9 -`, letters in lower case, no dash at either end. Such a name
 * needs no escaping in a URL, a certificate, a file name, a host name or a log, so two names are the same exactly when
 * their bytes are.
 */
export function isDnsLabel(name: string): boolean {
  return name.length <= 63 && /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(name);
}

/** Whether a name is DNS-1123 labels joined by dots, 253 characters at most. */
export function isDnsName(name: string): boolean {
  return name.length <= 253 && name.split('.').every(isDnsLabel);
}
