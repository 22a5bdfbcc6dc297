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
load
load # the heap has grown to what this load takes: what is counted now is the requests' own
before=$(counters)
load
after=$(counters)
cmp "$work/body" "$work/back" || fail "an echo came back changed"
equal "$(get /count/ | grep -o '[0-9]*' | tail -n 1)" 811 "all workers count in one store"
made=$(($(echo "$after" | number syscalls) - $(echo "$before" | number syscalls)))
[ $made -le 3 ] || fail "$made system calls inside during 300 requests"
# a deployment reaches every worker
push late hello-c
for _ in $(seq 20); do equal "$(status /late/)" 200 "the app deployed last, on any worker"; done
check stop
check start --workers 1
equal "$(get /count/ | grep -o '[0-9]*' | tail -n 1)" 812 "another number of workers, the same store"
check stop
! start --workers 60 || fail "60 workers were accepted"
server=
