#!/usr/bin/env bash
# Build wasmtime's static library once per lock file and print the folder that holds libwasmtime.a and include/. With
# --made, fail where it is not built yet.
# The result is kept outside the tree, so that neither a clean tree nor a second checkout builds it again.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../scripts/progress.sh

out=$cache/wasmtime-$(cat Cargo.toml Cargo.lock src/*.rs memfd/Cargo.toml memfd/src/*.rs mark/Cargo.toml mark/src/*.rs \
    mark/examples/differential/*.rs <(rustc --version) | sha256sum | cut -c1-16)
build() {
    local target=$cache/wasmtime-target remap include
    [ ! -f "$out/complete" ] || return 0 # another build has made it meanwhile
    # Paths of the building machine must not reach the library: it is part of the measured image.
    remap="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/wasmtime"
    RUSTFLAGS="$remap --remap-path-prefix=$target=/target" CARGO_TARGET_DIR=$target \
        step "wasmtime" 270 cargo build --release --locked >&2
    # Of the same crates, so with nothing that is built again: what tries the rewriter (test wasmtime/mark).
    RUSTFLAGS="$remap --remap-path-prefix=$target=/target" CARGO_TARGET_DIR=$target \
        step "components that mark, tried" 30 cargo build --release --locked -p enclave-mark --example differential >&2
    rm -rf "$out" && mkdir -p "$out"
    cp "$target/release/libwasmtime.a" "$target/release/examples/differential" "$out/"
    include=$(ls -td "$target"/release/build/wasmtime-c-api-impl-*/out/include | head -n 1)
    cp -r "$include" "$out/include"
    touch "$out/complete"
}
if [ ! -f "$out/complete" ]; then
    [ "${1:-}" != --made ] || exit 1
    locked wasmtime build
fi
echo "$out"
