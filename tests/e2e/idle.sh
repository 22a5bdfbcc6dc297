#!/usr/bin/env bash
# A server that has nothing to do sleeps: without connections nothing wakes any of its threads, and with many of them
# only their time-outs do, several at once. Counted by the kernel, thread by thread, in what the host says of its waits
# and in the emulator's counts of exits; and it wakes again for whoever comes.
# IDLE=N: so many connections (default 2,000).
. "$(dirname "$0")/lib.sh"
many=${IDLE:-2000} seconds=5

# Sleeps of all threads so far that something has ended.
woken() { cat /proc/"$server"/task/*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'; }
said() { # of the host's counters
    local told
    told=$(grep -c '^counters' "$work/server.log") || true
    kill -USR1 "$server"
    await "the counters" more_counters "$told"
    tac "$work/server.log" | sed -nE "s/.*\b$1 ([0-9]+).*/\1/p" | head -n 1
}
more_counters() { [ "$(grep -c '^counters' "$work/server.log")" -gt "$1" ]; }

# quiet MOST: a while in which threads were woken no more often than that
quiet() {
    local before after
    before=$(woken)
    sleep $seconds
    after=$(woken)
    echo "woken $((after - before)) times in $seconds s"
    [ $((after - before)) -le "$1" ]
}
check start --workers 2 --idle-timeout 86400000
push hello hello-c
for _ in $(seq 20); do equal "$(status /hello/)" 200; done
await "a server without connections that sleeps" quiet 2
exits=$(said eexit)
sleeps=$(said sleeps)
naps=$(said naps)
await "a server without connections that sleeps on" quiet 2
# what asking woke is not the server's doing, and asks nobody inside
[ $(($(said eexit) - exits)) -le 2 ] || fail "the enclave was entered and left while there was nothing to do"
[ $(($(said sleeps) - sleeps + $(said naps) - naps)) -le 4 ] || fail "the I/O threads looked for what was not there"

mkfifo "$work/leave"
"$BUILD/bin/crowd_client" "$port" "$many" idle <"$work/leave" >"$work/crowd" &
exec 7>"$work/leave"
until grep -qs ready "$work/crowd"; do kill -0 $! || fail "the crowd's client ended"; sleep 0.1; done
# the time-outs of their first requests go by first, for minutes where connecting took long
hang=1200 await "a server with $many idle connections that sleeps" quiet 25
equal "$(status /hello/)" 200 "a request among $many idle connections"
exec 7>&-
wait $! || fail "the crowd's client: $?"
check stop
