#!/usr/bin/env bash
# cmake by itself, without ./dev: it finds the wasmtime and the OpenSSL that were built before, and says in one line what to run
# where there is none. It never builds one: that takes minutes.
set -euo pipefail
source=$1 work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

cmake -S "$source" -B "$work/found" -G Ninja >"$work/found.log" 2>&1 || { tail -n 20 "$work/found.log" >&2; fail "a plain cmake"; }

# without NAME WORDS [OPTION...]: cmake with an empty cache ends with these words
without() {
    local name=$1 words=$2
    shift 2
    if ENCLAVE_OS_CACHE=$work/empty cmake -S "$source" -B "$work/$name" -G Ninja "$@" >"$work/missing.log" 2>&1; then
        fail "without $name nothing can be built, and cmake goes on"
    fi
    tr -s '\n ' ' ' <"$work/missing.log" | grep -q "$words" || { cat "$work/missing.log" >&2; fail "it does not say what to run"; }
    [ ! -e "$work/empty" ] || fail "something was built"
}
without wasmtime 'wasmtime is not built yet: run wasmtime/build.sh'
without OpenSSL 'OpenSSL is not built yet: run openssl/build.sh' -DWASMTIME_DIR="$("$source/wasmtime/build.sh")"
