#!/usr/bin/env bash
# Clients that vanish: in the handshake, in the middle of uploads that their guest has not read, of downloads, of
# storage calls. Nobody else notices, and everything that they held is given back.
. "$(dirname "$0")/lib.sh"
check start --workers 2 --request-timeout 3000 # so long do guests loop whose clients are gone
answered() { # WHAT: an app answers, though not always in time beside others that loop until their deadline
    await "an answer $1" hello
}
hello() { [ "$(status /hello/)" = 200 ]; }
push echo echo
push count counter-c
push hello hello-c
push bad misbehave
head -c 3000000 /dev/urandom >"$work/body"

for _ in $(seq 20); do printf 'url = "%s/echo/"\ndata-binary = "@%s/body"\noutput = /dev/null\n' "$url" "$work"; done >"$work/echo"
for _ in $(seq 20); do printf 'url = "%s/count/"\noutput = /dev/null\n' "$url"; done >"$work/count"
# with every buffer on the way full
for round in 1 2 3; do
    "$BUILD/bin/rude_client" "$port" /echo/ 8
    answered "after resets with full buffers, round $round"
    "$BUILD/bin/rude_client" "$port" /bad/loop 4 # the guest neither reads nor writes when the reset comes
    await "the end of guests whose clients are gone, round $round" metric_is guest_memory_bytes 0
    answered "after the guests of clients that are gone ended, round $round"
done
for round in $(seq 10); do
    for what in echo count; do
        timeout -s KILL "0.$((1 + RANDOM % 4))" curl -sk --parallel --parallel-immediate --parallel-max 20 -K "$work/$what" &
    done
    # a client that begins TLS and goes
    timeout -s KILL 0.2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; printf '\x16\x03\x01\x02\x00\x01' >&3; sleep 9" &
    wait $(jobs -p | grep -v "^$server\$") 2>/dev/null || true
    answered "beside clients that vanish, round $round"
done 2>/dev/null
await "the end of all guests" metric_is guest_memory_bytes 0
echo_answers() { [ "$(get /echo/ -d "still here")" = "still here" ]; }
await "an echo" echo_answers
few_sockets() { [ "$(ls -l "/proc/$server/fd" | grep -c socket)" -le 6 ]; }
await "the end of all sockets, which linger for two seconds" few_sockets
check stop
