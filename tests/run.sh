#!/usr/bin/env bash
# ./dev test [NAME...]: every test, or those named; all that failed is listed at the end. A NAME is a test (e2e/http), a folder
# of tests (e2e, common), a suite (asan, tsan, fuzz), or something of a suite's (asan/http). The last line is for machines:
# "N passed, M failed, K skipped".
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/progress.sh

# Many tests of the image wait for something, those of the sanitizers and the fuzzers only compute.
cores=$(nproc)
at_once() { case $1 in image) echo "${JOBS:-$((cores + 2))}" ;; *) echo "${JOBS:-$cores}" ;; esac; }
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
passed=0 failures=() skips=()

die() { printf 'dev: %s\n' "$*" >&2; exit 2; }

folder() { case $1 in image) echo build ;; *) echo "build/$1" ;; esac; }

# What is only tested is compiled once for each content, wherever the checkout lies; the image, which is measured, from
# its sources in each build folder.
export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=1G
configure() { # SUITE
    local preset=$1 wasmtime openssl options=()
    [ "$1" != image ] || preset=release
    [ "$1" = image ] || options=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    [ "$1" != fuzz ] || options+=(-DFUZZ_SECONDS="${FUZZ_SECONDS:-6}")
    wasmtime=$(wasmtime/build.sh) && openssl=$(openssl/build.sh) || return
    cmake --preset "$preset" -DWASMTIME_DIR="$wasmtime" -DOPENSSL_INSIDE_DIR="$openssl" "${options[@]}" >"$results/cmake" 2>&1 ||
        { cat "$results/cmake" >&2; return 1; }
}

listed() { # SUITE: the names of its tests
    case $1 in
    tsan) # what has threads of its own and is no part of the image
        python3 tests/suite.py list build/tsan | grep -E '^(common/|host/|enclave/(https|thread|ratls|service)/|apps$|workers$|shared$)' ;;
    fuzz) python3 tests/suite.py list build/fuzz | sed -n 's:^fuzz/::p' ;;
    *) python3 tests/suite.py list "$(folder "$1")" ;;
    esac
}

# choose NAME...: what of each suite is to be run, in $results/SUITE.names
choose() {
    local name suite within
    [ $# -gt 0 ] || set -- image asan tsan fuzz
    for name in "$@"; do
        case $name in
        image | asan | tsan | fuzz) suite=$name within= ;;
        asan/* | tsan/* | fuzz/*) suite=${name%%/*} within=${name#*/} ;;
        *) suite=image within=$name ;;
        esac
        [ -f "$results/$suite.all" ] || { configure "$suite" && listed "$suite" >"$results/$suite.all"; } || die "$suite cannot be configured"
        awk -v name="$within" 'name == "" || $0 == name || index($0, name "/") == 1' "$results/$suite.all" >"$results/found"
        [ -s "$results/found" ] || die "no test is called $name; there are: $(tr '\n' ' ' <"$results/$suite.all")"
        cat "$results/found" >>"$results/$suite.names"
    done
}

# Tests that run nothing but their own programs want no others; scripts may start any program, and name the components.
build() { # SUITE
    local names=$results/$1.names targets apps components tool
    sed "s:^:$([ "$1" != fuzz ] || echo fuzz/):" "$names" >"$results/full-names"
    mapfile -t components < <(apps/build.sh --list)
    python3 tests/suite.py needed "$(folder "$1")" "$results/full-names" "${components[@]}" >"$results/needed" || return
    mapfile -t targets < <(sed -n 's/^target //p' "$results/needed" | sort -u)
    mapfile -t apps < <(sed -n 's/^app //p' "$results/needed" | sort -u)
    ! printf '%s\n' "${targets[@]}" | grep -qx all || targets=(all)
    step "programs of the tests ($1)" 120 ninja -C "$(folder "$1")" "${targets[@]}" || return
    while read -r tool; do tests/"$tool"/build.sh >/dev/null || return; done < <(sed -n 's/^tool //p' "$results/needed" | sort -u)
    [ ${#apps[@]} -eq 0 ] || apps/build.sh "${apps[@]}"
}

# run SUITE: its chosen tests; adds to the sums
run() {
    local suite=$1 prefix names outcome name label
    [ -s "$results/$suite.names" ] || return 0
    case $suite in image) label= ;; *) label=$suite/ ;; esac
    if ! build "$suite"; then
        failures+=("${label}build: what the tests are made of cannot be built")
        return
    fi
    prefix=$([ "$suite" != fuzz ] || echo fuzz/)
    names=$(sort -u "$results/$suite.names" | sed "s:^:$prefix:" | paste -sd '|')
    rm -f "$results/junit"
    TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp step "$(sort -u "$results/$suite.names" | wc -l) tests ($suite)" 600 \
        ctest --test-dir "$(folder "$suite")" --timeout 3600 --no-tests=error --output-on-failure -j "$(at_once "$suite")" --output-junit "$results/junit" -R "^($names)\$"
    [ -s "$results/junit" ] || failures+=("${label}ctest: it gave no results")
    while read -r outcome name; do
        name=$label${name#"$prefix"}
        case $outcome in
        passed) passed=$((passed + 1)) ;;
        skipped) skips+=("$name") ;;
        *) failures+=("$name") ;;
        esac
    done < <(python3 tests/suite.py results "$results/junit")
}

choose "$@"
for suite in image asan tsan fuzz; do run $suite; done

[ ${#skips[@]} -eq 0 ] || printf 'skipped: %s\n' "${skips[@]}"
[ ${#failures[@]} -eq 0 ] || printf 'FAILED: %s\n' "${failures[@]}"
echo "$passed passed, ${#failures[@]} failed, ${#skips[@]} skipped"
[ ${#failures[@]} -eq 0 ]
