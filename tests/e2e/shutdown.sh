#!/usr/bin/env bash
# SIGTERM lets requests that are under way end, and deployments survive replacement, removal and restarts.
. "$(dirname "$0")/lib.sh"

check start
push app hello-c
push app echo # replaces it
push gone hello-c
ctl app rm gone "${to[@]}" >/dev/null
head -c 3000000 /dev/urandom >"$work/body"
records=$(others)
check stop
check start
equal "$(get /app/ -d "still here")" "still here" "the replaced app after a restart"
equal "$(status /gone/)" 404 "the removed app after a restart"
push app hello-c
push app echo
equal "$(others)" "$records" "records after replacing an app twice: old artefacts must go"

# an answer is under way when SIGTERM comes: the client sends the rest of its body only then
check stop
check start --grace ${hang}000
talk send 'POST /app/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3000010\r\n\r\n0123456789' until 0123456789 \
    touch "$work/begun" await "$work/asked" file "$work/body" eof >"$work/back" &
client=$!
await "the beginning of an answer" test -e "$work/begun"
kill -TERM "$server"
await "the beginning of the end" logged 'enclave-os: stopping'
touch "$work/asked"
wait "$server" || fail "the server did not end well"
server=
wait $client || fail "the client was cut off by SIGTERM"
# the body again, in chunks: without what frames them
python3 - "$work/body" "$work/back" <<'PYTHON' || fail "the answer under way at SIGTERM is incomplete"
import http.client, io, sys
class Sock:
    def makefile(self, *_): return open(sys.argv[2], "rb")
answer = http.client.HTTPResponse(Sock())
answer.begin()
assert answer.status == 200 and answer.read() == b"0123456789" + open(sys.argv[1], "rb").read()
PYTHON

# a grace that ends before any of the requests' own times does: what is left is cut off then
check start --grace 1000 --request-timeout 3600000 --header-timeout 3600000 --rate-grace 3600000 --workers 3
talk send 'POST /app/ HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n0123456789' until 0123456789 touch "$work/held" eof \
    >/dev/null 2>&1 &
client=$!
await "the beginning of an answer" test -e "$work/held"
kill -TERM "$server"
await "the end of a server whose grace is over" gone "$server"
wait "$server" || fail "the server did not end well"
server=
wait $client || true

# a change whose quote is on its way: all workers stay for its installation, those without connections, too
HOST=$BUILD/bin/lying_quotes
export LIE=$work/lie
check start --grace ${hang}000 --workers 4
echo hold >"$LIE"
push app hello-c &
pusher=$!
await "the change's quote" test -e "$LIE.held"
kill -TERM "$server"
await "the beginning of the end" logged 'enclave-os: stopping'
sleep 0.3 # any time will do: those who would leave have left
rm "$LIE"
await "the end of a server that finishes a change" gone "$server"
wait "$server" || fail "the server did not end well"
server=
wait $pusher || fail "a change that was being made at SIGTERM was not finished, or not answered"
HOST=$BUILD/bin/enclave-os
check start
contains "$(get /app/)" Hello
push app echo
check stop

# A boot without quotes says why and asks again: it ends when it is told to, and comes to serving when there are quotes.
HOST=$BUILD/bin/lying_quotes
for end in told served; do
    echo refuse >"$LIE"
    : >"$work/server.log"
    "$HOST" serve --image "$BUILD/enclave_os.signed" --listen "127.0.0.1:$port" --data "$work/data" --sim-dir "$work/sim" \
        --admin-key "$admin.pub" --workers 3 >"$work/server.log" 2>&1 &
    server=$!
    await "a second attempt" logged 'no new certificate: error .* the next attempt is in 2 s'
    ! logged '^ready' || fail "a server without a certificate says that it is ready"
    if [ $end = served ]; then
        rm "$LIE"
        await "a server that has its quote at last" logged '^ready'
    fi
    check stop
done
HOST=$BUILD/bin/enclave-os

# A signal at any moment of the boot, at first before a thread is inside the enclave: an end in good order. Over a host
# whose threads are late, too: then the enclave may be gone before what it asked for has been read.
takes_signals() { # PROCESS: it is the server, no shell any more, and has SIGTERM blocked to read it itself
    [ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$HOST")" ] &&
        [ $((0x$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$1/status") >> 14 & 1)) = 1 ]
}
boot() {
    : >"$work/server.log"
    "$HOST" serve --image "$BUILD/enclave_os.signed" --listen "127.0.0.1:$port" --data "$work/data" --sim-dir "$work/sim" \
        --admin-key "$admin.pub" --workers 3 >"$work/server.log" 2>&1 &
    server=$!
    await "a server that takes signals" takes_signals "$server"
}
export SEED=${SEED:-$RANDOM}
echo "SEED=$SEED"
for HOST in "$BUILD/bin/enclave-os" "$BUILD/bin/late_host"; do
    # how long a boot takes here and now, so that the moments are spread over all of it
    begin=$(date +%s%N)
    boot
    await "its end" logged '^ready'
    took=$((($(date +%s%N) - begin) / 1000000))
    check stop
    for ((moment = 0; moment < ${MOMENTS:-16}; moment++)); do
        signal=$([ $((moment % 4)) = 3 ] && echo HUP || echo TERM)
        delay=$((took * moment / ${MOMENTS:-16}))
        SEED=$((SEED + moment))
        boot
        sleep $((delay / 1000)).$(printf %03d $((delay % 1000)))
        kill -$signal "$server"
        wait "$server" || fail "${HOST##*/}, SIG$signal $delay of $took ms after the start: status $?"
        server=
    done
done
HOST=$BUILD/bin/enclave-os

# kill -9 while a component is being deployed: before or after, never in between
for delay in 0.01 0.03 0.05 0.1; do
    check start
    ctl app push app "$BUILD/apps/hello-c.wasm" "${to[@]}" >/dev/null 2>&1 &
    pusher=$!
    sleep $delay
    crash
    wait $pusher 2>/dev/null || true
    check start
    answer=$(get /app/ -d x)
    [ "$answer" = x ] || contains "$answer" Hello
    push app echo
    check stop
done
check start # removes what the cut-off deployments left
check stop
check start # to be asked how long the history is
equal "$(others)" "$records" "records left over by cut-off deployments"
check stop
