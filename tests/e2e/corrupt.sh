#!/usr/bin/env bash
# A host that changes what it stores: everything that it keeps with a bit flipped, cut, missing, in another's place, or old. One such thing
# keeps nobody from starting, nor an app from its data: it is mended, and the log says so. Both of what is kept twice, or records that are
# put back with what belongs to them, and the enclave refuses to start, saying why; it never returns wrong data.
# tests/e2e/salvage.sh has more apps, and what is not mended.
. "$(dirname "$0")/lib.sh"
tool="$BUILD/bin/lmdb_tool"

check start
push counter counter-c
for _ in 1 2 3; do get /counter/ >/dev/null; done
check stop
cp -r "$work/data" "$work/good"
count=$("$tool" "$work/data" count)
[ "$count" -ge 20 ] || fail "only $count records"

restore() { rm -rf "$work/data"; cp -r "$work/good" "$work/data"; }
# mended WHAT: it starts, says that something was damaged, and the counter goes on
mended() {
    start || fail "$1: it does not start"
    equal "$(get /counter/ | grep -o '[0-9]*' | tail -n 1)" 4 "$1: the counter"
    log=$(cat "$work/server.log")
    contains "$log" "mended"
    crash
}
# refused WHAT: it does not start, with a line about the store
refused() {
    ! start || fail "$1: went unnoticed"
    server=
    grep -q "$2" "$work/server.log" || fail "$1: no clear line"
}

for i in $(seq 0 $((count - 1))); do
    where=(first middle last)
    restore
    "$tool" "$work/data" flip "$i" "${where[i % 3]}"
    mended "record $i, ${where[i % 3]} bit flipped"
    restore
    case $((i % 3)) in
    0) "$tool" "$work/data" delete "$i" ;;
    1) "$tool" "$work/data" truncate "$i" ;;
    2) "$tool" "$work/data" copy $(((i + count / 2) % count)) "$i" ;; # its neighbour may be its copy
    esac
    mended "record $i, missing, cut or another's ($((i % 3)))"
done
restore
"$tool" "$work/data" swap 0 1
mended "two records swapped"

# both of a pair
record=$("$tool" "$work/data" list | awk 'length($2) == 64 && !n++ {print $1}')
restore
twin=$("$tool" "$work/data" twin "$record")
for i in "$record" "$twin"; do "$tool" "$work/data" flip "$i" last; done
refused "a record and its twin" "records do not match the sealed root"
named() { "$tool" "$work/data" list | awk -v name="$1" '$2 == name {print $1}'; }
restore
for name in root root-copy; do "$tool" "$work/data" flip "$(named $name)" middle; done
refused "both roots" "the sealed root is damaged, and so is its copy"
restore
for name in root root-copy; do "$tool" "$work/data" delete "$(named $name)"; done
refused "no root" "the sealed root is missing, and so is its copy"
restore
for name in master master-copy; do "$tool" "$work/data" truncate "$(named $name)"; done
refused "both master keys" "the sealed master key is damaged"

# older records put back under a newer root
restore
check start
get /counter/ >/dev/null
check stop
"$tool" "$work/data" restore-from "$work/good"
refused "all records but the root put back to an older state" "older than acknowledged"

restore
check start
equal "$(get /counter/ | grep -o '[0-9]*' | tail -n 1)" 4 "the untouched store"
[ "$(grep -c mended "$work/server.log")" = 0 ] || fail "the untouched store was mended"
check stop
