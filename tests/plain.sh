#!/usr/bin/env bash
# cmake by itself, without ./dev: it finds the wasmtime that was built before, and says in one line what to run where there
# is none. It never builds one: that takes minutes.
set -euo pipefail
source=$1 work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

cmake -S "$source" -B "$work/found" -G Ninja >"$work/found.log" 2>&1 || { tail -n 20 "$work/found.log" >&2; fail "a plain cmake"; }

if ENCLAVE_OS_CACHE=$work/empty cmake -S "$source" -B "$work/missing" -G Ninja >"$work/missing.log" 2>&1; then
    fail "without wasmtime nothing can be built, and cmake goes on"
fi
tr -s '\n ' ' ' <"$work/missing.log" | grep -q 'wasmtime is not built yet: run wasmtime/build.sh' ||
    { cat "$work/missing.log" >&2; fail "it does not say what to run"; }
[ ! -e "$work/empty" ] || fail "something was built"
