#!/usr/bin/env bash
# Make one file of the JavaScript verifier and what shows its verdict on the page, once for each state of their sources, with
# the packages that the verifier's package-lock.json pins, and print the folder: page.js, its integrity, check.html. It is kept
# outside the tree.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../../scripts/progress.sh

verifier=../../bindings/javascript
sources=("$verifier"/src/*.js script/* page.css script.sh "$verifier/package-lock.json")
key=$(sha256sum "${sources[@]}" | LC_ALL=C sort | sha256sum | cut -c1-16)
out=$cache/page-script-$key
make_script() {
    local scratch packages
    [ ! -f "$out/page.js" ] || return 0 # somebody else has done it meanwhile
    packages=$("$verifier/test/packages.sh")
    scratch=$(mktemp -d -p "$cache")
    NODE_PATH=$packages step "the page's script" 2 node script/bundle.mjs "$scratch" >&2
    chmod a+rx "$scratch"
    mv -T "$scratch" "$out"
}
[ -f "$out/page.js" ] || locked page-script make_script
echo "$out"
