#!/usr/bin/env bash
# What an app stores and reads does not wait for another app that computes, on whichever worker that is. The host
# withholds the ticks at which guests yield, so that the one which computes has its worker for itself, without end: what
# needed that worker would never be answered. Others of its own worker do wait; those of another are answered.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_host
export NO_TICKS_WHILE=$work/no-ticks
spent() { cat /proc/"$server"/task/*/stat | sed -E 's/^([0-9]+) \(.*\) /\1 /' | awk '{ print $1, $13 }'; } # thread, 10 ms
computing() { # one of the threads, since "before"
    spent | awk 'NR == FNR { before[$1] = $2; next } $2 - before[$1] >= 50 { found = 1 } END { exit !found }' "$work/before" -
}
for round in 1 2 3 4; do # it may come to either worker
    rm -rf "$work/data"
    check start --workers 2
    push count counter-c
    push files files-c
    push spin spin-loop
    check ask -X PUT --data-binary before "$url/files/kept" -o /dev/null
    touch "$NO_TICKS_WHILE"
    spent >"$work/before"
    ask -o /dev/null "$url/spin/" &
    spinner=$!
    await "the guest that computes" computing
    check python3 "$(dirname "$0")/keeper.py" "$port" $hang
    gone $spinner && fail "the guest that computes without end has ended"
    crash
    rm "$NO_TICKS_WHILE"
    wait $spinner && fail "it was answered"
    # what was acknowledged meanwhile is there
    check start --workers 2
    equal "$(get /count/get)" 99 "what was put last"
    equal "$(get /files/kept)" "kept 99" "what was written last"
    check stop
done
