# Sourced by start.sh and test.sh, in the checkout: installs what the lock file says, if that is not what is there.
# npm's `prepare` script leaves a copy of the lock file, so an installation that was broken off does not count.
if ! cmp -s package-lock.json node_modules/.causeway-lock; then
  npm ci --loglevel=error
fi
PATH=$PWD/node_modules/.bin:$PATH
export PATH
