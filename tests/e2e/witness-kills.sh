#!/usr/bin/env bash
# Killed at any request of a start that has witnesses, from the entry's commit over each question to them to the first
# answer: the next start is served, with all that was acknowledged. A state entry and a push, killed in the same way.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"
HOST=$BUILD/bin/lying_store
export COUNT_WHILE=$work/count

witness_start w1
more=(--witness-seconds 60)
first_boot w1
push counter counter-c
equal "$(count)" 1
check stop

# A start that was killed behind its entry's commit leaves a longer log, which the next one reads with two more requests'
# moments: so with three more each time, every moment behind the commit has its turn.
moment=1 killed=yes starts=0
while [ "$killed" ]; do # a start
    moment=$((moment + 3)) starts=$((starts + 1))
    touch "$COUNT_WHILE"
    KILL_AT=$moment launch
    over() { ready || ended; }
    await "moment $moment of a start" over
    rm "$COUNT_WHILE"
    if ready; then killed=; else wait "$server" 2>/dev/null || true; fi
    [ $starts -lt 300 ] || fail "the start has no end"
done
crash
[ $starts -gt 8 ] || fail "a start was killed $((starts - 1)) times only"
launch
await "a start after $((starts - 1)) that were killed" ready
equal "$(count)" 2
crash
echo "a start was killed at $((starts - 1)) moments, $(witness_size w1 "$origin") entries were cosigned"

moment=0 pushed=
until [ "$pushed" ]; do # a push, with its entry and its cosignature
    moment=$((moment + 1))
    KILL_AT=$moment launch
    await "a start" ready
    touch "$COUNT_WHILE"
    push files files-c 2>/dev/null && pushed=yes
    rm "$COUNT_WHILE"
    [ "$pushed" ] || await "the kill" ended
    [ "$pushed" ] || wait "$server" 2>/dev/null || true
    [ $moment -lt 200 ] || fail "the push has no end"
done
crash
launch
await "a start after the push" ready
equal "$(status /files/a -X PUT --data-binary text)" 200 "the app whose push was acknowledged"
equal "$(count)" 3
check stop
echo "a push was killed at $((moment - 1)) moments"
