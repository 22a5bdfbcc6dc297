#!/usr/bin/env bash
# Several workers: connections spread over them, one store and one list of apps for all, no system call inside under
# load, and a number of workers that the image has no room for is refused.
. "$(dirname "$0")/lib.sh"
counters() {
    local told
    told=$(grep -c '^counters' "$work/server.log") || true
    kill -USR1 "$server"
    await "the counters" more_counters "$told"
    grep '^counters' "$work/server.log" | tail -n 1
}
more_counters() { [ "$(grep -c '^counters' "$work/server.log")" -gt "$1" ]; }
number() { sed -E "s/.* $1 ([0-9]+).*/\1/"; }

check start --workers 3
push count counter-c
push echo echo
head -c 3000000 /dev/urandom >"$work/body"
# load: 300 requests on 30 connections: most count, some echo 3 MB
for _ in $(seq 30); do
    for _ in $(seq 9); do printf 'url = "%s/count/"\noutput = /dev/null\ninsecure\nsilent\nnext\n' "$url"; done
    printf 'url = "%s/echo/"\ndata-binary = "@%s/body"\noutput = "%s/back"\ninsecure\nsilent\nnext\n' "$url" "$work" "$work"
done | sed '$d' >"$work/urls"
load() { ask --parallel --parallel-immediate --parallel-max 30 -K "$work/urls" || fail "a request of the load"; }
# What the heap grows by depends on how requests happen to meet, and ends: then a load takes no system call inside.
loads=0 made=300
while [ "$made" -gt 3 ]; do
    [ $loads -lt 10 ] || fail "$made system calls inside during the last of $loads times 300 requests"
    before=$(counters)
    load
    loads=$((loads + 1)) made=$(($(counters | number syscalls) - $(echo "$before" | number syscalls)))
    cmp "$work/body" "$work/back" || fail "an echo came back changed"
done
# what both sides tell of how they wait for work
check metric_reaches quiet_turns_total 1
counters >/dev/null
check grep -q '^spinning: [0-9]* us by I/O threads$' "$work/server.log"
check grep -q '^waiting:  naps [0-9]* sleeps [1-9][0-9]* by I/O threads$' "$work/server.log"
counted=$((270 * loads + 1))
equal "$(get /count/ | grep -o '[0-9]*' | tail -n 1)" $counted "all workers count in one store"
# a deployment reaches every worker
push late hello-c
for _ in $(seq 20); do equal "$(status /late/)" 200 "the app deployed last, on any worker"; done
check stop
check start --workers 1
equal "$(get /count/ | grep -o '[0-9]*' | tail -n 1)" $((counted + 1)) "another number of workers, the same store"
check stop
! start --workers 60 || fail "60 workers were accepted"
server=
