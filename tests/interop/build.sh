#!/usr/bin/env bash
# Build the tool once per lock file and print the folder that holds it and the crate's sample of a real quote. Kept outside the tree, as wasmtime/build.sh does.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../../scripts/progress.sh

out=$cache/interop-$(cat Cargo.toml Cargo.lock src/*.rs <(rustc --version) | sha256sum | cut -c1-16)
build() {
    local target=$cache/interop-target manifest
    [ ! -f "$out/complete" ] || return 0 # another build has made it meanwhile
    CARGO_TARGET_DIR=$target step "the other verifier, dcap-qvl" 180 cargo build --locked >&2
    rm -rf "$out" && mkdir -p "$out"
    cp "$target/debug/interop" "$out/"
    # The crate brings a real quote with its collateral. Only this platform's crates have been fetched.
    manifest=$(cargo metadata --locked --format-version 1 --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" |
        grep -oE '"manifest_path":"[^"]*/dcap-qvl-[0-9.]+/Cargo.toml"')
    manifest=${manifest#*:\"}
    cp "$(dirname "${manifest%\"}")"/sample/sgx_quote{,_collateral.json} "$out/"
    touch "$out/complete"
}
[ -f "$out/complete" ] || locked interop build
echo "$out"
