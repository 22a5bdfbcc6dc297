#!/usr/bin/env bash
# What witnesses cost: a start, a push and a state checkpoint with none, one and three of them (litewitness, on this machine),
# and requests that pass meanwhile. Times are of this machine as it is; what is compared is measured by turns.
#
#     BUILD=build SOURCE=. bench/witness.sh [ROUNDS]
BUILD=$(realpath "${BUILD:-build}") SOURCE=$(realpath "${SOURCE:-.}")
export BUILD SOURCE
. "$SOURCE/tests/e2e/lib.sh"
. "$SOURCE/tests/e2e/witness_lib.sh"

rounds=${1:-5}
now_ms() { echo $(($(date +%s%N) / 1000000)); }
spent_us() { awk -v tick="$(getconf CLK_TCK)" '{sub(/^.*\) /, ""); print int(($12 + $13) * 1000000 / tick)}' "/proc/$server/stat"; }
median() { sort -n | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}'; }
for name in w1 w2 w3; do witness_start $name; done

# measure COUNT NAME...: medians
measure() {
    local names=("${@:2}") begin i starts=() pushes=() writes=() served=()
    more=()
    if [ "$1" -gt 0 ]; then first_boot "${names[@]}"; else check start; fi
    push counter counter-c
    count >/dev/null
    for i in $(seq "$rounds"); do
        begin=$(now_ms)
        ctl app push hello "$BUILD/apps/hello-c.wasm" "${to[@]}" >/dev/null
        pushes+=($(($(now_ms) - begin)))
    done
    if [ "$1" -gt 0 ]; then
        echo '{"durable":"witnessed"}' >"$work/settings.json"
        ctl app settings counter "$work/settings.json" "${to[@]}" >/dev/null
    fi
    for i in $(seq 20); do printf 'url = "%s/counter/"\n' "$url"; done >"$work/urls"
    for i in $(seq "$rounds"); do # 20 writes on one connection that wait for a state checkpoint each, or for the disk alone
        begin=$(now_ms)
        ask -K "$work/urls" >/dev/null
        writes+=($((($(now_ms) - begin) * 50)))
    done
    for i in $(seq "$rounds"); do # processor time of all the server's threads, for each request
        begin=$(spent_us)
        h2load --h1 -c 64 -t 1 -n 40000 "$url/hello/" >/dev/null 2>&1
        served+=($((($(spent_us) - begin) * 10 / 40000)))
    done
    check stop
    for i in $(seq "$rounds"); do
        begin=$(now_ms)
        launch
        await "a start" ready
        starts+=($(($(now_ms) - begin)))
        check stop
    done
    rm -rf "$work/data"
    printf '%s witnesses: start %s ms, push %s ms, write %s us, hello %s tenths of a us of processor time\n' "$1" "$(printf '%s\n' "${starts[@]}" | median)" \
        "$(printf '%s\n' "${pushes[@]}" | median)" "$(printf '%s\n' "${writes[@]}" | median)" "$(printf '%s\n' "${served[@]}" | median)"
}
measure 0
measure 1 w1
for name in w1 w2 w3; do witness_forget $name; witness_start $name; done
measure 3 w1 w2 w3
measure 0 # once more: how far this machine is from itself
