#!/usr/bin/env bash
# SIGTERM lets requests that are under way end, and deployments survive replacement, removal and restarts.
. "$(dirname "$0")/lib.sh"

check start
push app hello-c
push app echo # replaces it
push gone hello-c
ctl app rm gone "${to[@]}" >/dev/null
head -c 3000000 /dev/urandom >"$work/body"
records=$("$BUILD/bin/lmdb_tool" "$work/data" count)
check stop
check start
equal "$(get /app/ -d "still here")" "still here" "the replaced app after a restart"
equal "$(status /gone/)" 404 "the removed app after a restart"
push app hello-c
push app echo
equal "$("$BUILD/bin/lmdb_tool" "$work/data" count)" "$records" "records after replacing an app twice: old artefacts must go"

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

# a signal at any moment of the boot, at first before a thread is inside the enclave: an end in good order
takes_signals() { # PROCESS: it is the server, no shell any more, and has SIGTERM blocked to read it itself
    [ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$HOST")" ] &&
        [ $((0x$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$1/status") >> 14 & 1)) = 1 ]
}
for delay in 0 0 0 0.05 0.1 0.2; do
    for signal in TERM HUP; do
        "$HOST" serve --image "$BUILD/enclave_os.signed" --listen "127.0.0.1:$port" --data "$work/data" --sim-dir "$work/sim" \
            --admin-key "$admin.pub" >"$work/server.log" 2>&1 &
        server=$!
        await "a server that takes signals" takes_signals "$server"
        sleep $delay
        kill -$signal "$server"
        wait "$server" || fail "SIG$signal $delay s after the start: status $?"
        server=
    done
done

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
equal "$("$BUILD/bin/lmdb_tool" "$work/data" count)" "$records" "records left over by cut-off deployments"
