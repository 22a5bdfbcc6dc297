#!/usr/bin/env bash
# Install what package-lock.json pins, once per lock file and outside the tree, and print where.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
. ../../scripts/progress.sh

out=$cache/npm-verifier-$(sha256sum package-lock.json | cut -c1-16)
install_packages() {
    [ ! -f "$out/complete" ] || return 0 # somebody else has done it meanwhile
    rm -rf "$out" && mkdir -p "$out"
    cp package.json package-lock.json "$out/"
    step "npm packages of the JavaScript verifier" 20 npm --prefix "$out" ci --no-audit --no-fund --loglevel=error >&2
    touch "$out/complete"
}
[ -f "$out/complete" ] || locked npm-verifier install_packages
echo "$out/node_modules"
