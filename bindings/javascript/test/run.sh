#!/usr/bin/env bash
# The package's own tests, which need no enclave: in Node and, where the vectors are judged once more, in Chromium. They run in
# a copy, with what package-lock.json pins, which is kept outside the tree.
set -euo pipefail
cd "$(dirname "$0")/.."
. ../../scripts/progress.sh

export SOURCE=$PWD/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node_modules=$(test/packages.sh)
cp -r src test package.json "$work/"
ln -s "$node_modules" "$work/node_modules"
cd "$work"
for file in $(find src test -name '*.js'); do node --check "$file"; done
node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext --lib es2022,dom test/types.ts
node --test --test-reporter=spec test/*.test.js
