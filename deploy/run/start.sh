#!/bin/sh
# `npm start`: sets up what is missing, then runs the all-in-one. Arguments go to `causeway dev`.
set -eu
cd "$(dirname "$0")/../.."
. deploy/run/setup.sh
exec bin/causeway dev "$@"
