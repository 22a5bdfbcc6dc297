#!/usr/bin/env bash
# Clients that vanish: in the handshake, in the middle of uploads that their guest has not read, of downloads, of
# storage calls. Nobody else notices, and everything that they held is given back.
. "$(dirname "$0")/lib.sh"
check start --workers 2 --request-timeout 1000
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
    equal "$(status /hello/)" 200 "after resets with full buffers, round $round"
    "$BUILD/bin/rude_client" "$port" /bad/loop 4 # the guest neither reads nor writes when the reset comes
    sleep 1.2
    equal "$(status /hello/)" 200 "after the guests of clients that are gone ended, round $round"
done
for round in $(seq 10); do
    for what in echo count; do
        timeout -s KILL "0.$((1 + RANDOM % 4))" curl -sk --parallel --parallel-immediate --parallel-max 20 -K "$work/$what" &
    done
    # a client that begins TLS and goes
    timeout -s KILL 0.2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; printf '\x16\x03\x01\x02\x00\x01' >&3; sleep 9" &
    wait $(jobs -p | grep -v "^$server\$") 2>/dev/null || true
    equal "$(status /hello/)" 200 "beside clients that vanish, round $round"
done 2>/dev/null
equal "$(get /echo/ -d "still here")" "still here"
for _ in $(seq 50); do # sockets of clients that have not closed their side linger for two seconds
    open=$(ls -l "/proc/$server/fd" | grep -c socket)
    [ "$open" -le 6 ] && break
    sleep 0.1
done
[ "$open" -le 6 ] || fail "$open sockets are open after all clients went"
check stop
