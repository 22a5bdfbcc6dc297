#!/usr/bin/env bash
# A host that changes what it stores: every record with a bit flipped, records missing, swapped, doubled, or old.
# Each time the enclave either refuses to start, saying why, or refuses the one record; it never returns wrong data.
. "$(dirname "$0")/lib.sh"
tool="$BUILD/bin/lmdb_tool"

check start
push counter counter-c
for _ in 1 2 3; do get /counter/ >/dev/null; done
check stop
cp -r "$work/data" "$work/good"
count=$("$tool" "$work/data" count)
[ "$count" -ge 6 ] || fail "only $count records"

restore() { rm -rf "$work/data"; cp -r "$work/good" "$work/data"; }
# detected WHAT: the server refuses to start with a line about the store, or refuses the counter's value
detected() {
    if start; then
        answer=$(get /counter/ | grep -o '[0-9]*' | tail -n 1 || true)
        log=$(cat "$work/server.log")
        crash
        [ "$answer" = 4 ] && fail "$1: went unnoticed"
        [ -z "$answer" ] || [ "$answer" = 500 ] || fail "$1: the counter answered $answer"
        contains "$log" "damaged"
    else
        server=
        grep -qE 'store:|identity:|administrators:|boot:|egress:|apps:|app counter' "$work/server.log" || fail "$1: no clear line"
    fi
}

for i in $(seq 0 $((count - 1))); do
    for where in first middle last; do
        restore
        "$tool" "$work/data" flip "$i" $where
        detected "record $i, $where bit flipped"
    done
    restore
    "$tool" "$work/data" delete "$i"
    detected "record $i missing"
    restore
    "$tool" "$work/data" truncate "$i"
    detected "record $i truncated"
done
restore
"$tool" "$work/data" swap 0 1
detected "two records swapped"

# an older record put back under a newer root
restore
check start
get /counter/ >/dev/null
check stop
"$tool" "$work/data" restore-from "$work/good" 
detected "all records but the root put back to an older state"

restore
check start
equal "$(get /counter/ | grep -o '[0-9]*' | tail -n 1)" 4 "the untouched store"
check stop
