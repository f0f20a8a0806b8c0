#!/bin/sh
# Makes this machine an edge of a Causeway fleet: fetches the agent, enrols it with a join token, starts it as a service and waits until
# the edge is online. Run again, it changes nothing. `causeway token create` prints the line that fetches and runs it.
#
# Everything is fetched from the gateway's public listener, over TLS, and the fleet's own root is the only one that is trusted for that.
set -eu
umask 077
LC_ALL=C
export LC_ALL

usage() {
  cat <<'TEXT'
sh bootstrap.sh --gateway HOST:PORT --token TOKEN --ca FILE [--edge NAME] [--prefix DIR]
sh bootstrap.sh --uninstall [--prefix DIR]

  --gateway HOST:PORT  the public listener of a replica
  --token TOKEN        the join token, or `-` to read it from standard input
  --ca FILE            the fleet's root certificates, PEM; an edge that is enrolled already has them
  --edge NAME          the edge's name; needed when the token is not for one edge
  --prefix DIR         where to install; with another one than / there is no user of its own and no service
  --wait SECONDS       how long to wait until the edge is online; default 60
  --uninstall          take everything away again

Exit codes: 0 done, 1 failed, 2 usage, 4 not allowed, 5 unreachable.
TEXT
}

user=causeway-agent

main() {
  read_arguments "$@"
  place_files
  if [ "$uninstall" = yes ]; then
    uninstall_all
    return
  fi
  check_arguments
  check_machine
  work=$(mktemp -d) || fail 1 'no temporary folder can be made' 'look at the space and the permissions of /tmp, or set TMPDIR'
  trap 'rm -rf "$work" "$binary".new.*' EXIT
  trap 'exit 1' HUP INT TERM
  mkdir "$work/no-other-roots"
  write_roots
  ask_gateway
  check_clock
  install_agent
  make_user
  enrol
  install_service
  start_agent
  wait_online
}

# --- what was asked for -------------------------------------------------------------------------------------------------------------

read_arguments() {
  gateway='' token='' ca='' edge='' prefix=/ wait_seconds=60 uninstall=no
  while [ $# -gt 0 ]; do
    case $1 in
      --gateway | --token | --ca | --edge | --prefix | --wait)
        [ $# -ge 2 ] || fail 2 "$1 needs a value" 'sh bootstrap.sh --help shows what it takes'
        case $1 in
          --gateway) gateway=$2 ;;
          --token) token=$2 ;;
          --ca) ca=$2 ;;
          --edge) edge=$2 ;;
          --prefix) prefix=$2 ;;
          --wait) wait_seconds=$2 ;;
        esac
        shift 2
        ;;
      --uninstall) uninstall=yes && shift ;;
      -h | --help) usage && exit 0 ;;
      *) fail 2 "there is no option $1" 'sh bootstrap.sh --help shows what it takes' ;;
    esac
  done
  case $prefix in
    /*) prefix=${prefix%/} ;;
    *) fail 2 "--prefix $prefix is not an absolute path" 'give a path that begins with /' ;;
  esac
}

place_files() {
  binary=$prefix/usr/local/bin/causeway-agent
  settings=$prefix/etc/causeway-agent
  config=$settings/agent.yaml
  state=$prefix/var/lib/causeway-agent
  keys=$state/keys
  unit=/etc/systemd/system/causeway-agent.service
  pid_file=$state/agent.pid
  log_file=$state/agent.log
  changed=no
  restart=no
}

check_arguments() {
  [ -n "$gateway" ] || fail 2 '--gateway is missing' 'give the address of the public listener, HOST:PORT'
  case $gateway in
    *[!A-Za-z0-9.:_[\]-]* | *: | :*) fail 2 "--gateway $gateway is not HOST:PORT" 'give the address of the public listener' ;;
    *:[0-9]*) ;;
    *) fail 2 "--gateway $gateway has no port" 'give HOST:PORT; the public listener is on 8442 where nothing else was chosen' ;;
  esac
  case $wait_seconds in
    '' | *[!0-9]*) fail 2 "--wait $wait_seconds is no number of seconds" 'give a whole number' ;;
  esac
  [ "$token" != - ] || IFS= read -r token || :
  case $token in
    '') fail 2 '--token is missing' 'make one at the center: causeway token create --edge NAME' ;;
    cwt1.*.*.*) ;;
    *) fail 2 'the token is not whole: it begins with cwt1. and has four parts' 'copy the whole line that causeway token create printed' ;;
  esac
}

# --- whether this machine can be an edge --------------------------------------------------------------------------------------------

check_machine() {
  [ "$(uname -s)" = Linux ] || fail 1 "there is no agent for $(uname -s)" 'use a machine with Linux'
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail 1 "there is no agent for the architecture $(uname -m)" 'use a machine with x86-64 or arm64' ;;
  esac
  if [ -z "$prefix" ] && [ "$(id -u)" != 0 ]; then
    fail 4 'this is not root' 'run the line as root (sudo), or install for yourself with --prefix DIR'
  fi
  if command -v curl >/dev/null; then
    downloader=curl
  elif command -v wget >/dev/null && wget --help 2>&1 | grep -q -e --ca-certificate; then
    downloader=wget
  else
    fail 1 'neither curl nor a wget that verifies certificates is there' 'install curl'
  fi
  if command -v sha256sum >/dev/null; then
    checksum='sha256sum'
  elif command -v shasum >/dev/null; then
    checksum='shasum -a 256'
  elif command -v openssl >/dev/null; then
    checksum='openssl dgst -sha256 -r'
  else
    fail 1 'nothing here computes SHA-256' 'install coreutils, which have sha256sum'
  fi
  has_systemd=no
  if [ -z "$prefix" ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then has_systemd=yes; fi
}

write_roots() {
  roots=$work/roots.pem
  if [ -z "$ca" ]; then
    ca=$keys/ca.pem
    [ -f "$ca" ] || fail 2 '--ca is missing' 'give the file with the roots of the fleet, which the line of causeway token create brings'
  fi
  cat "$ca" >"$roots" 2>/dev/null || fail 2 "the roots cannot be read: $ca" 'check the path given with --ca'
  grep -q 'BEGIN CERTIFICATE' "$roots" || fail 2 "there is no certificate in $ca" 'copy the whole line that causeway token create printed'
}

# Also the first thing that is sent over the network, so this is where a wrong address or clock shows.
ask_gateway() {
  fetch "/v1/agent/linux-$arch.sha256" "$work/sha256" || explain_fetch "the agent for $arch"
  IFS=' ' read -r wanted _ <"$work/sha256" || :
  case $wanted in
    *[!0-9a-f]* | '') wanted='' ;;
  esac
  [ ${#wanted} = 64 ] || fail 1 "$gateway answered with something else than a checksum" \
    'look whether it is the public listener of a replica, and no proxy in between answers for it'
}

# Certificates begin ten minutes before they are made, and who is further off is refused sooner or later.
check_clock() {
  said=$(sed -n 's/^ *[Dd]ate: *//p' "$work/headers" | tr -d '\r' | tail -n 1)
  [ -n "$said" ] || return 0
  there=$(seconds_of "$said") || return 0
  off=$(($(date -u +%s) - there))
  if [ "$off" -gt 300 ]; then
    fail 1 "the clock of this machine is $off seconds ahead of the gateway's: $(date -u)" "$clock_fix"
  elif [ "$off" -lt -300 ]; then
    fail 1 "the clock of this machine is ${off#-} seconds behind the gateway's: $(date -u)" "$clock_fix"
  fi
}

clock_fix='set it (timedatectl set-ntp true, or date -u -s "YYYY-MM-DD hh:mm:ss") and run the same line again'

# `Mon, 23 Nov 2026 00:27:07 GMT` as seconds since 1970, for any date command; days from the civil date by its usual formula.
seconds_of() {
  # shellcheck disable=SC2086 # into words
  set -- $1
  [ $# -ge 5 ] || return 1
  months=JanFebMarAprMayJunJulAugSepOctNovDec
  before=${months%"$3"*}
  [ "$before" != "$months" ] || return 1
  month=$((${#before} / 3 + 1)) day=${2#0} year=$4 hour=${5%%:*} second=${5##*:}
  minute=${5#*:} && minute=${minute%%:*}
  [ "$month" -gt 2 ] || year=$((year - 1))
  shifted=$(((month + 9) % 12))
  days=$((year * 365 + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + day - 719469))
  echo $((days * 86400 + ${hour#0} * 3600 + ${minute#0} * 60 + ${second#0}))
}

# --- fetching: the roots of the fleet and no others, never without verification -----------------------------------------------------

fetch() { # PATH FILE; the reason of a failure is in $work/error
  url=https://$gateway$1
  if [ "$downloader" = curl ]; then
    curl -q --silent --show-error --fail --proto =https --cacert "$roots" --capath "$work/no-other-roots" \
      --connect-timeout 15 --speed-limit 100 --speed-time 60 --dump-header "$work/headers" --output "$2" "$url" 2>"$work/error"
  else
    wget --no-config --no-verbose --server-response --ca-certificate="$roots" --ca-directory="$work/no-other-roots" --max-redirect=0 \
      --timeout=60 --connect-timeout=15 --tries=1 --output-document="$2" "$url" 2>"$work/headers" || {
      cp "$work/headers" "$work/error"
      return 1
    }
  fi
}

explain_fetch() { # WHAT; ends with the way out for what curl or wget said
  said=$(tr '\n' ' ' <"$work/error")
  has() { grep -qiE -e "$1" "$work/error"; }
  if has 'not yet valid|not yet activated|has expired'; then
    fail 1 "the gateway's certificate is not valid at the time that this machine's clock shows: $(date -u)" "$clock_fix"
  elif has 'owner does not match|no alternative certificate subject|does not match target'; then
    fail 5 "the certificate of $gateway does not name that address" 'use a name or address that the replica has its certificate for'
  elif has 'issuer|self.signed|unable to get local|certificate problem|certificate verif|cannot verify|not trusted'; then
    fail 4 "$gateway is not vouched for by the fleet's root: $said" \
      'copy the line again from causeway token create; if it stays so, somebody else answers at that address'
  elif has 'could ?n.t resolve|unable to resolve|not known|resolution'; then
    fail 5 "the name of the gateway cannot be resolved: $gateway" 'check the name, and the DNS servers of this machine'
  elif has 'refused|t connect to'; then
    fail 5 "nothing answers at $gateway" 'check the address and the port (of the public listener, not of the API), that the replica runs, and that no firewall is on the way'
  elif has 'timed out|timeout|no route|unreachable'; then
    fail 5 "$gateway cannot be reached: $said" 'open the port for outgoing connections in the firewalls on the way; HTTPS_PROXY is used where it is set'
  elif has '(error:?|http/[0-9.]*) 404'; then
    fail 1 "the gateway has no such file: $1" 'build it (npm run build:agent) and name its folder in agentFiles of the configuration of the gateway'
  elif has '(error:?|http/[0-9.]*) (429|503)'; then
    fail 5 "the gateway is busy: $said" 'run the same line again in a minute'
  fi
  # wget has nothing to say of an answer that began and did not end.
  if has 'bytes remaining|closed at byte|reset|unexpected eof|http/[0-9.]* 200'; then
    fail 5 "the download of $1 was cut short: $said" 'run the same line again'
  fi
  fail 5 "$1 could not be fetched from $gateway: $said" 'check the address, and run the same line again'
}

sum_of() {
  # shellcheck disable=SC2086 # a command with its options
  $checksum "$1" | cut -c 1-64
}

# --- the agent ----------------------------------------------------------------------------------------------------------------------

install_agent() {
  if [ -f "$binary" ] && [ "$(sum_of "$binary")" = "$wanted" ]; then return; fi
  folder=${binary%/*}
  make_folder 755 "$folder"
  check_space "$folder" 400000
  new=$binary.new.$$
  say "fetching the agent for $arch"
  fetch_agent "$new"
  if [ "$(sum_of "$new")" != "$wanted" ]; then
    fail 1 'the agent that came is not the one that the gateway names: its SHA-256 is another' \
      'run the same line again; if it stays so, build the files of agentFiles at the gateway again'
  fi
  chmod 755 "$new"
  "$new" version >"$work/version" 2>"$work/error" ||
    fail 1 "the agent does not run on this machine: $(head -n 3 "$work/error" | tr '\n' ' ')" \
      'it needs glibc 2.28 or later, and libstdc++ (Debian: libstdc++6); a system with musl has neither'
  if [ -f "$binary" ]; then did="replaced $binary"; else did="installed $binary"; fi
  mv -f "$new" "$binary"
  restart=yes
  done_now "$did, version $(cat "$work/version")"
}

# A third of the bytes where both ends can compress.
fetch_agent() {
  if command -v gzip >/dev/null && fetch "/v1/agent/linux-$arch.gz" "$work/agent.gz"; then
    gzip -dc <"$work/agent.gz" >"$1" 2>"$work/error" && rm -f "$work/agent.gz" && return
  fi
  fetch "/v1/agent/linux-$arch" "$1" || {
    if grep -qiE 'write|space|disk' "$work/error"; then check_space "${1%/*}" 400000; fi
    explain_fetch "the agent for $arch"
  }
}

check_space() { # FOLDER KIB
  free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
  case $free in
    '' | *[!0-9]*) return ;;
  esac
  [ "$free" -ge "$2" ] || fail 1 "there are $((free / 1000)) MB free in $1, and $(($2 / 1000)) MB are needed" 'make room, then run the same line again'
}

# --- who it runs as -----------------------------------------------------------------------------------------------------------------

make_user() {
  if [ -n "$prefix" ]; then
    owner=$(id -u):$(id -g)
  else
    if ! id -u $user >/dev/null 2>&1; then
      no_shell=/bin/false
      for each in /usr/sbin/nologin /sbin/nologin; do if [ -x $each ]; then no_shell=$each; fi; done
      if command -v useradd >/dev/null; then
        useradd --system --user-group --no-create-home --home-dir "$state" --shell "$no_shell" $user 2>"$work/error"
      elif command -v adduser >/dev/null && command -v addgroup >/dev/null; then
        addgroup -S $user && adduser -S -D -H -h "$state" -s "$no_shell" -G $user $user 2>"$work/error"
      else
        fail 1 "the user $user cannot be made: there is neither useradd nor adduser" 'make a system user and a group of this name, then run the same line again'
      fi || fail 1 "the user $user could not be made: $(cat "$work/error")" 'make a system user and a group of this name, then run the same line again'
      done_now "made the user $user"
    fi
    owner=$(id -u $user):$(id -g $user)
  fi
  choose_runner
  make_folder 700 "$state" "$owner"
  make_folder 755 "${settings%/*}"
}

# How to run a program as the agent's user. Of these every system has one.
choose_runner() {
  id=${owner%%:*}
  if [ "$id" = "$(id -u)" ]; then
    runner=''
  elif command -v setpriv >/dev/null; then
    runner="setpriv --reuid=$id --regid=${owner##*:} --clear-groups --"
  elif command -v runuser >/dev/null; then
    runner="runuser -u $user --"
  else
    runner="chroot --userspec=$owner /"
  fi
  # shellcheck disable=SC2016 # for the inner shell
  as_agent sh -c '[ -x "$1" ]' sh "$binary" 2>"$work/error" ||
    fail 1 "the user $user cannot run the agent: $(head -n 3 "$work/error" | tr '\n' ' ')" \
      "see that the user may enter / and ${binary%/*}; and that setpriv is there, of util-linux"
}

as_agent() {
  # shellcheck disable=SC2086 # a command with its options
  $runner "$@"
}

make_folder() { # MODE FOLDER [OWNER]
  [ -d "$2" ] && return
  (umask 022 && mkdir -p "$2") || fail 1 "the folder $2 cannot be made" 'check the permissions of the folder above, or choose another --prefix'
  chmod "$1" "$2"
  [ $# -lt 3 ] || chown "$3" "$2"
}

# --- its identity -------------------------------------------------------------------------------------------------------------------

# The agent makes its key, holds the gateway against the token's pin, and only then sends anything. Keys that are there and good stay.
enrol() {
  before=$(cat "$keys/cert.pem" 2>/dev/null) || :
  # It writes the configuration too, so the folder is its own until that is there.
  if [ ! -f "$config" ]; then make_folder 700 "$settings" "$owner"; fi
  set -- agent enrol --gateway "$gateway" --keys "$keys" --config "$config"
  [ -z "$edge" ] || set -- "$@" --edge "$edge"
  code=0
  CAUSEWAY_TOKEN=$token as_agent "$binary" "$@" >"$work/enrolled" 2>"$work/error" || code=$?
  if [ "$code" = 4 ] && [ -n "$before" ] && [ -f "$config" ]; then
    say 'the certificate here has expired, and the token is good no more: the agent tries to renew it'
    return
  fi
  if [ "$code" != 0 ]; then
    rmdir "$settings" 2>/dev/null || :
    cat "$work/error" >&2
    exit "$code"
  fi
  [ "$(cat "$keys/cert.pem")" != "$before" ] || return 0
  # What the agent may reach is not the agent's own to change.
  if [ -z "$prefix" ]; then
    chown -R "0:${owner##*:}" "$settings"
    chmod 750 "$settings"
    chmod 640 "$config"
  fi
  restart=yes
  done_now "$(cat "$work/enrolled")"
}

# --- its service --------------------------------------------------------------------------------------------------------------------

unit_text() {
  cat <<'UNIT'
[Unit]
Description=Causeway agent of this edge
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=causeway-agent
Group=causeway-agent
ExecStart=/usr/local/bin/causeway-agent agent run --config /etc/causeway-agent/agent.yaml
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=5
TimeoutStopSec=30
LimitNOFILE=65536
StateDirectory=causeway-agent
StateDirectoryMode=0700
UMask=0077
# The trust of the fleet is in its key store; nothing from outside adds to it, or loads code.
UnsetEnvironment=NODE_OPTIONS NODE_EXTRA_CA_CERTS

# It dials out, reads its configuration and writes its state folder: it may do no more.
# MemoryDenyWriteExecute is not here: the JavaScript engine compiles at run time.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateDevices=yes
PrivateTmp=yes
RemoveIPC=yes
KeyringMode=private
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
UNIT
}

install_service() {
  [ "$has_systemd" = yes ] || return 0
  unit_text >"$work/unit"
  if ! cmp -s "$work/unit" "$unit"; then
    cp "$work/unit" "$unit.new"
    chmod 644 "$unit.new"
    mv -f "$unit.new" "$unit"
    systemctl daemon-reload
    restart=yes
    done_now "installed $unit"
  fi
  if ! systemctl is-enabled --quiet causeway-agent; then
    systemctl enable --quiet causeway-agent
    done_now 'it starts with the machine'
  fi
}

is_running() {
  if [ "$has_systemd" = yes ]; then
    systemctl is-active --quiet causeway-agent
  else
    pid=$(cat "$pid_file" 2>/dev/null) && [ -n "$pid" ] || return 1
    # Another process may have the number by now.
    case $(readlink "/proc/$pid/exe" 2>/dev/null) in
      "$binary" | "$binary (deleted)") ;;
      *) return 1 ;;
    esac
  fi
}

start_agent() {
  if is_running; then
    [ "$restart" = yes ] || return 0
    stop_agent
  fi
  if [ "$has_systemd" = yes ]; then
    systemctl restart causeway-agent || fail 1 'systemd could not start the agent' 'look into its log: journalctl -u causeway-agent'
    done_now 'started the service causeway-agent'
    return
  fi
  # In a session of its own, so that it stays when this terminal goes; what follows `exec` has the same process id.
  if command -v setsid >/dev/null; then session=setsid; else session=''; fi
  # shellcheck disable=SC2016,SC2086 # for the inner shell; commands with their options
  (
    exec $session $runner sh -c 'cd / && echo $$ >"$1" && exec "$2" agent run --config "$3" >>"$4" 2>&1' \
      causeway-agent "$pid_file" "$binary" "$config" "$log_file"
  ) </dev/null >/dev/null 2>&1 &
  done_now "started the agent; its log is $log_file"
}

stop_agent() {
  if [ "$has_systemd" = yes ]; then
    systemctl stop causeway-agent
    return
  fi
  kill "$pid"
  tries=0
  while is_running && [ $tries -lt 30 ]; do
    sleep 1
    tries=$((tries + 1))
  done
  if is_running; then kill -9 "$pid"; fi
}

wait_online() {
  code=0
  as_agent "$binary" agent status --config "$config" --wait "$wait_seconds" >"$work/status" 2>"$work/error" || code=$?
  if [ $code != 0 ]; then
    cat "$work/status" "$work/error" >&2
    if [ "$has_systemd" = yes ]; then show='journalctl -u causeway-agent'; else show="tail $log_file"; fi
    fail "$code" "the edge is not online after $wait_seconds s; the agent goes on trying" "$show shows what it does"
  fi
  if [ $changed = no ]; then say 'nothing to do: everything is in place'; fi
  say "$(head -n 1 "$work/status")"
  if [ $changed = yes ]; then
    say "what can be reached here stands in $config"
    [ "$has_systemd" = yes ] || say_boot
  fi
}

say_boot() {
  runs="$binary agent run --config $config >>$log_file 2>&1"
  say 'there is no systemd here that would start it with the machine; a line in /etc/crontab does, or in that of a user:'
  if [ -z "$prefix" ]; then say "  @reboot $user $runs"; else say "  @reboot $runs"; fi
}

# --- and away again -----------------------------------------------------------------------------------------------------------------

uninstall_all() {
  [ -n "$prefix" ] || [ "$(id -u)" = 0 ] || fail 4 'this is not root' 'run it as root (sudo), or name the --prefix that it was installed with'
  has_systemd=no
  if [ -z "$prefix" ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then has_systemd=yes; fi
  if is_running; then
    stop_agent
    done_now 'stopped the agent'
  fi
  if [ -z "$prefix" ] && [ -f $unit ]; then
    if [ $has_systemd = yes ]; then systemctl disable --quiet causeway-agent; fi
    take_away $unit
    if [ $has_systemd = yes ]; then systemctl daemon-reload; fi
  fi
  take_away "$binary"
  take_away "$settings"
  take_away "$state"
  # Of a folder of its own, what it made there too.
  if [ -n "$prefix" ] && [ -d "$prefix" ]; then (cd "$prefix" && rmdir -p usr/local/bin etc var/lib) 2>/dev/null || :; fi
  if [ -z "$prefix" ] && id -u $user >/dev/null 2>&1; then
    if command -v userdel >/dev/null; then userdel $user; else deluser $user; fi
    if grep -q "^$user:" /etc/group; then if command -v groupdel >/dev/null; then groupdel $user; else delgroup $user; fi; fi
    done_now "removed the user $user"
  fi
  if [ $changed = no ]; then
    say 'nothing to do: nothing is installed'
  else
    say 'the fleet still knows the edge; at the center: causeway node rm EDGE'
  fi
}

take_away() {
  if [ ! -e "$1" ]; then return; fi
  rm -rf "$1"
  done_now "removed $1"
}

# --- what it says -------------------------------------------------------------------------------------------------------------------

say() {
  printf '%s\n' "$1"
}

done_now() {
  changed=yes
  say "$1"
}

fail() { # EXIT-CODE WHAT WAY-OUT
  printf 'causeway: %s\nfix: %s\n' "$2" "$3" >&2
  exit "$1"
}

main "$@"
