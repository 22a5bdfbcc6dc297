#!/usr/bin/env bash
# Build the tool once per lock file and print the folder that holds it and the crate's sample of a real quote. Kept outside the tree, as wasmtime/build.sh does.
set -euo pipefail
cd "$(dirname "$0")"

key=$(cat Cargo.toml Cargo.lock src/*.rs <(rustc --version) | sha256sum | cut -c1-16)
cache=${ENCLAVE_OS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/enclave-os}
out=$cache/interop-$key
if [ ! -f "$out/complete" ]; then
    echo "building the other verifier, dcap-qvl (about 3 minutes on 2 cores, once)..." >&2
    target=$cache/interop-target
    CARGO_TARGET_DIR=$target cargo build --locked >&2
    rm -rf "$out" && mkdir -p "$out"
    cp "$target/debug/interop" "$out/"
    # The crate brings a real quote with its collateral.
    manifest=$(cargo metadata --locked --offline --format-version 1 | grep -oE '"manifest_path":"[^"]*/dcap-qvl-[0-9.]+/Cargo.toml"')
    manifest=${manifest#*:\"}
    cp "$(dirname "${manifest%\"}")"/sample/sgx_quote{,_collateral.json} "$out/"
    touch "$out/complete"
fi
echo "$out"
