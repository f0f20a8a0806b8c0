/** What the line for an edge needs. */
export interface EnrolLine {
  /** Public listener of a replica, `host:port`. */
  readonly gateway: string;
  readonly token: string;
  /** PEM of the root that the token pins. */
  readonly root: string;
  /** Undefined: whoever runs it says the name. */
  readonly edge?: string | undefined;
}

/**
 * One line for a shell at the edge, as root. It holds the fleet's root and fetches the bootstrap script with it, so that no step trusts
 * anybody else; the token goes in by standard input, since other users can read command lines.
 */
export function enrolLine({ gateway, token, root, edge }: EnrolLine): string {
  const pem = root
    .trim()
    .split(/\r?\n/u)
    .map((line) => `'${line}'`)
    .join(' ');
  const script = `https://${gateway}/v1/bootstrap.sh`;
  // printf is the shell's own, in every shell: no process ever has the token among its arguments.
  return [
    `(umask 077; d=$(mktemp -d) && mkdir "$d/none" && printf '%s\\n' ${pem} >"$d/ca.pem"`,
    // The roots that the system has are left out: both would take them besides. No settings of the user are read.
    `if command -v curl >/dev/null; then curl -q -fsS --proto =https --cacert "$d/ca.pem" --capath "$d/none" -o "$d/bootstrap.sh" ${script}; ` +
      `else wget --no-config -nv --ca-certificate="$d/ca.pem" --ca-directory="$d/none" -O "$d/bootstrap.sh" ${script}; fi ` +
      `|| ! echo "causeway: nothing could be fetched from ${gateway}: check the address, the firewalls, and the clock of this machine, $(date -u)" >&2`,
    `printf '%s\\n' '${token}' | sh "$d/bootstrap.sh" --gateway ${gateway} --ca "$d/ca.pem" --token -${edge === undefined ? ' --edge NAME' : ` --edge ${edge}`}; s=$?; rm -rf "$d"; exit $s)`,
  ].join(' && ');
}
