#!/bin/sh
# `npm test`: sets up what is missing, then runs every check and the whole suite, or only the test files given.
# Its last line is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/../.."
. deploy/run/setup.sh

packages=present
sh deploy/run/test-packages.sh || packages=missing
if [ "$packages" = missing ] && [ "${CI:-}" = true ]; then
  echo '0 passed, 1 failed'
  exit 1
fi
exec node test/tooling/run-suite.ts "$@"
