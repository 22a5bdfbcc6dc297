#!/usr/bin/env bash
# Guests that trap, never end, or eat memory: their own request fails, and nobody else notices.
. "$(dirname "$0")/lib.sh"

check start
push hello hello-c
push bad misbehave
equal "$(status /bad/trap)" 500 "trap"
equal "$(status /bad/bomb)" 500 "memory bomb"
equal "$(status /bad/stack)" 500 "endless recursion"
equal "$(status /bad/copies)" 500 "an argument that would fill the memory"
equal "$(status /bad/silent)" 500 "a handler that never answers"
# others are answered while guests loop: none of those has come to its deadline, which is minutes away
calls=$(metric wasm_calls_total)
for _ in 1 2 3; do get /bad/loop -o /dev/null & done
await "three endless loops" metric_reaches wasm_calls_total $((calls + 3))
failures=$(metric responses_5xx_total)
for _ in $(seq 20); do equal "$(status /hello/)" 200 "beside endless loops"; done
check metric_is responses_5xx_total "$failures"
# many that take all the memory they can get and keep it: what one app may have is bounded, others' share is there
for _ in $(seq 40); do get /bad/hoard -o /dev/null & done
await "40 guests that hoard memory" metric_reaches wasm_calls_total $((calls + 63))
for _ in $(seq 20); do equal "$(status /hello/)" 200 "beside 40 guests that hoard memory"; done
kill $(jobs -p | grep -v "^$server\$") 2>/dev/null || true
crash

# loops and hoarders are ended at their deadline, and what they held is given back
check start --request-timeout 1000
equal "$(status /bad/loop)" 504 "endless loop"
for _ in $(seq 40); do get /bad/hoard -o /dev/null & done
wait $(jobs -p | grep -v "^$server\$") 2>/dev/null || true
await "the end of the hoarders" metric_is guest_memory_bytes 0
check stop
check start
equal "$(status /bad/other)" 200 "the hoarders' own app, when they are gone"
equal "$(status /metrics)" 401 "metrics without a token"
equal "$(status /hello/)" 200 "afterwards"
check stop
