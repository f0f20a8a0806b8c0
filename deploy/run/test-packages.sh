#!/bin/sh
# Installs the Debian packages of test-packages.txt that are missing; exits 1 where it cannot, and says which.
set -eu
cd "$(dirname "$0")"

present() { # a command on the PATH or in sbin, or a file by its pattern
  case $1 in
    /*) set -- $1; [ -e "$1" ] ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
  esac
}

missing() {
  while read -r package brings; do
    case $package in '' | '#'*) continue ;; esac
    present "$brings" || printf ' %s' "$package"
  done <test-packages.txt
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing the packages that the tests need:$wanted"
  # No service starts by itself: the tests start their own, on ports and in folders of their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  apt-get update -qq || true
  # shellcheck disable=SC2086 -- a list of names
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted || true
  wanted=$(missing)
  [ -n "$wanted" ] || exit 0
fi

echo "missing for the tests:$wanted" >&2
echo "get them with: sudo apt-get install --no-install-recommends$wanted" >&2
exit 1
