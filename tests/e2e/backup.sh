#!/usr/bin/env bash
# Backups of a server that is being written to, and what becomes of them: each has all that was acknowledged before it was
# begun; putting an older one back takes saying so, loses what came after it and nothing else, and is seen, by clients that
# remember the history, or by witnesses, who do not let it be served.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"
state=$work/log.state
verify() { ctl verify "$url" --policy "$policy" --log-state "$state" >"$work/said" 2>&1; }
digest() { "$BUILD/bin/lmdb_tool" "$1" digest; }
# refuses TEXT COMMAND...: it ends with 1 and one line that has TEXT
refuses() {
    local text=$1 result=0
    shift
    "$@" >"$work/out" 2>"$work/why" || result=$?
    equal "$result $(wc -l <"$work/why") $(wc -c <"$work/out")" "1 1 0" "$*: $(cat "$work/why" "$work/out")"
    contains "$(cat "$work/why")" "$text"
}

check start
push counter counter-c
equal "$(count)" 1
first_use
check verify

# ---- while it is written to -------------------------------------------------------------------------------------------
: >"$work/acknowledged"
touch "$work/writing"
for _ in 1 2 3; do
    while [ -e "$work/writing" ]; do count >>"$work/acknowledged"; done &
done
highest() { sort -n "$work/acknowledged" | tail -n 1; }
declare -A least
for n in 1 2 3; do
    await "writes" lines "$work/acknowledged" $((20 * n))
    least[$n]=$(highest)
    ctl backup "$work/data" "$work/backup-$n" >"$work/said" || fail "a backup while it is written to"
    contains "$(cat "$work/said")" "enclavectl restore $work/backup-$n $work/data"
    equal "$(ls "$work/backup-$n")" data.mdb
done
await "more writes" lines "$work/acknowledged" 80
rm "$work/writing"
wait $(jobs -p | grep -v "^$server$")
last=$(highest)
equal "$(count)" $((last + 1)) "the server that was copied"
refuses "is in use by another process" ctl restore "$work/backup-1" "$work/data" --lose-what-came-after
refuses "there is a backup or a store in it already" ctl backup "$work/data" "$work/backup-1"

# a copy beside it, on the same machine: all that was acknowledged before the backup was begun, and all in order
original=$server original_port=$port
for n in 1 2 3; do
    refuses "no store in it to compare with" ctl restore "$work/backup-$n" "$work/copy-$n"
    [ ! -e "$work/copy-$n" ] || fail "a refusal made a folder"
    ctl restore "$work/backup-$n" "$work/copy-$n" --lose-what-came-after >"$work/said" || fail "a restore"
    contains "$(cat "$work/said")" "What was acknowledged after this backup is lost"
    port=$(free_port) url=https://127.0.0.1:$port
    check start --data "$work/copy-$n"
    ! logged "damaged" || fail "the copy is damaged: $(cat "$work/server.log")"
    now=$(count)
    [ "$now" -gt "${least[$n]}" ] && [ "$now" -le $((last + 1)) ] ||
        fail "backup $n: ${least[$n]} was acknowledged before it, $last in all, and the copy says $now"
    check stop
done
server=$original port=$original_port url=https://127.0.0.1:$port
equal "$(count)" $((last + 2)) "the original, which nothing of it has changed"
check verify
newest=$(count)
check stop

# ---- the same commit: nothing is lost, and nothing has to be said ---------------------------------------------------
check ctl backup "$work/data" "$work/stopped" >"$work/said"
before=$(digest "$work/data")
refuses "--lose-what-came-after" ctl restore "$work/backup-2" "$work/data"
contains "$(cat "$work/why")" "clients that remember its history would refuse it. Nothing was changed."
equal "$(digest "$work/data")" "$before"
check ctl restore "$work/stopped" "$work/data" >"$work/said"
contains "$(cat "$work/said")" "nothing is lost"
equal "$(digest "$work/data")" "$before"
rm "$work/data/data.mdb.replaced"
check start
equal "$(count)" $((newest + 1))
check verify
newest=$(count)
check stop
# damage of single records is what it repairs, as long as nothing was written since
check ctl backup "$work/data" "$work/whole" >"$work/said"
"$BUILD/bin/lmdb_tool" "$work/data" flip 3 last
check ctl restore "$work/whole" "$work/data" >"$work/said"
contains "$(cat "$work/said")" "nothing is lost"
rm "$work/data/data.mdb.replaced"
check start
equal "$(count)" $((newest + 1))
push later counter-c # an entry of the history that no backup has
check verify
check stop

# ---- an older one: it is served, and who remembers the history refuses it ---------------------------------------------
check ctl restore "$work/backup-2" "$work/data" --lose-what-came-after >"$work/said"
contains "$(cat "$work/said")" "kept as data.mdb.replaced beside it"
contains "$(cat "$work/said")" "an instance with witnesses"
check start
now=$(count)
[ "$now" -gt "${least[2]}" ] && [ "$now" -le $((last + 1)) ] || fail "the older store says $now"
equal "$(status /later/)" 404 "what came after the backup"
! verify || fail "a client that remembers the history believes an older store"
contains "$(cat "$work/said")" "log history"
check stop
refuses "data.mdb.replaced: it is there from an earlier restore" ctl restore "$work/stopped" "$work/data" --lose-what-came-after
# what it replaced was not destroyed
mv "$work/data/data.mdb.replaced" "$work/data/data.mdb"
check start
equal "$(get /later/ | grep -o '[0-9]*' | tail -n 1)" 1
check verify
check stop

# ---- another CPU, and no backup ---------------------------------------------------------------------------------------
mkdir "$work/elsewhere"
check ctl restore "$work/stopped" "$work/moved" --lose-what-came-after >"$work/said"
! start --data "$work/moved" --sim-dir "$work/elsewhere" || fail "a backup opens on another CPU"
server=
check logged "on another CPU"
refuses "$work/elsewhere: there is no store in it" ctl restore "$work/elsewhere" "$work/moved" --lose-what-came-after
head -c 9000 /dev/urandom >"$work/elsewhere/data.mdb"
refuses "$work/elsewhere: " ctl restore "$work/elsewhere" "$work/moved" --lose-what-came-after
equal "$(digest "$work/moved")" "$(digest "$work/stopped")"

# ---- with witnesses: the newest is served, an older one is not ----------------------------------------------------------
rm -rf "$work/data"
witness_start w1
first_boot w1
push counter counter-c
equal "$(count)" 1
state=$work/witnessed.state
check ctl backup "$work/data" "$work/witnessed" >"$work/said"
equal "$(count)" 2
check verify
check stop
check ctl backup "$work/data" "$work/newest" >"$work/said"
check ctl restore "$work/newest" "$work/data" >"$work/said"
rm "$work/data/data.mdb.replaced"
launch
await "the newest store, put back" ready
equal "$(count)" 3
check verify
contains "$(ctl log "$url" --policy "$policy")" "  boot  "
check stop
seen=$(sed -n 5p "$state")
check ctl restore "$work/witnessed" "$work/data" --lose-what-came-after >"$work/said"
launch
ends_with 1 "no quorum of witnesses is left that could cosign this log; w1 has seen"
! logged '^ready' || fail "an older store was served"
# not unless whoever operates the witness makes it forget; then who remembers the history sees it, and believes nothing
witness_sql w1 "UPDATE log SET tree_size = 0, tree_hash = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
launch
await "the older store, before a witness that has forgotten" ready
! verify || fail "a client that remembers the history believes an older store"
contains "$(cat "$work/said")" "log history"
contains "$(cat "$work/said")" "seen before: $seen entries"
check stop
mv "$work/data/data.mdb.replaced" "$work/data/data.mdb"
witness_sql w1 "UPDATE log SET tree_size = 0, tree_hash = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
launch
await "what it had replaced" ready
check verify
equal "$(count)" 4
check stop
