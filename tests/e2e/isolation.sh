#!/usr/bin/env bash
# Guests that trap, never end, or eat memory: their own request fails, and nobody else notices.
. "$(dirname "$0")/lib.sh"

check start --request-timeout 1500
push hello hello-c
push bad misbehave
equal "$(status /bad/trap)" 500 "trap"
equal "$(status /bad/bomb)" 500 "memory bomb"
equal "$(status /bad/stack)" 500 "endless recursion"
equal "$(status /bad/copies)" 500 "an argument that would fill the memory"
equal "$(status /bad/silent)" 500 "a handler that never answers"
for _ in 1 2 3; do get /bad/loop -o /dev/null & done
sleep 0.2
begin=$(date +%s%N)
for _ in $(seq 20); do equal "$(status /hello/)" 200 "beside endless loops"; done
elapsed=$((($(date +%s%N) - begin) / 1000000))
[ $elapsed -lt 5000 ] || fail "20 requests took $elapsed ms beside endless loops"
equal "$(status /bad/loop)" 504 "endless loop"
wait $(jobs -p | grep -v "^$server\$") 2>/dev/null || true
# many that take all the memory they can get and keep it: what one app may have is bounded, others' share is there
for _ in $(seq 40); do get /bad/hoard -o /dev/null & done
sleep 0.4
for _ in $(seq 20); do equal "$(status /hello/)" 200 "beside 40 guests that hoard memory"; done
wait $(jobs -p | grep -v "^$server\$") 2>/dev/null || true
equal "$(status /bad/other)" 200 "the hoarders' own app, when they are gone"
metrics=$(ctl get /metrics --url "$url" --admin-key "$admin" --allow-simulation)
contains "$metrics" '"guest_memory_bytes":0' # all of it was given back
equal "$(status /metrics)" 401 "metrics without a token"
equal "$(status /hello/)" 200 "afterwards"
check stop
