#!/usr/bin/env bash
# Whoever reads an instance's log over a network that is cut, at any place, or in which a stranger answers in its stead, comes to no
# verdict and writes no conflict: the commands say that no answer came, and the one that stays goes on. Of enclavectl and of the Python
# binding. SEED= other places, CUTS= how many of them.
. "$(dirname "$0")/lib.sh"
mkdir "$work/python"
cp -r "$SOURCE/bindings/python/enclave_verifier" "$work/python/"
cp "$BUILD/lib/libenclave-verifier.so.0" "$work/python/enclave_verifier/libenclave-verifier.so"
printf '#!/bin/sh\nPYTHONPATH=%s exec python3 -W error -m enclave_verifier "$@"\n' "$work/python" >"$work/enclave-verifier"
chmod +x "$work/enclave-verifier"
openssl req -x509 -newkey ed25519 -nodes -subj /CN=stranger -keyout "$work/stranger.key" -out "$work/stranger.crt" 2>/dev/null
cat "$work/stranger.key" "$work/stranger.crt" >"$work/stranger.pem"
head -c 300 /dev/urandom >"$work/garbage"

check start
get /_enclave/log/checkpoint >"$work/old.checkpoint"
for _ in 1 2 3; do push one hello-c; done
first_use
check ctl verify "$url" --policy "$policy" --log-state "$work/log.state" >/dev/null
push one hello-c
check ctl verify "$url" --policy "$policy" --log-state "$work/log.state" >/dev/null
python3 "$SOURCE/tests/e2e/cut.py" "$port" "$work" "${SEED:-$$}" "$BUILD/bin/enclavectl" "$work/enclave-verifier" ||
    fail "what was not answered"

# a server that sends a byte now and then, for ever, keeps neither a monitor nor a comparison
python3 - >"$work/trickle.port" 2>/dev/null <<'P' &
import socket, threading, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def trickle(peer):
    try:
        peer.sendall(b"\x16\x03\x03\x3f\xff")
        while True:
            peer.sendall(b"\x02")
            time.sleep(0.5)
    except OSError:
        pass
while True:
    threading.Thread(target=trickle, args=(listener.accept()[0],), daemon=True).start()
P
trickle=$!
await "the slow server" test -s "$work/trickle.port"
slow=https://127.0.0.1:$(cat "$work/trickle.port")
"$BUILD/bin/enclavectl" monitor "$slow" --policy "$policy" --interval 1 2>"$work/slow" >/dev/null &
monitor=$!
timeout 600 "$BUILD/bin/enclavectl" log compare "$work/log.state" "$work/log.state" --url "$slow" >"$work/compared" 2>&1
[ $? != 124 ] || fail "a comparison was kept by a slow server"
contains "$(cat "$work/compared")" "it took too long"
for _ in $(seq 600); do grep -q "does not answer; it is asked again" "$work/slow" && break; sleep 1; done
contains "$(cat "$work/slow")" "does not answer; it is asked again"
kill $monitor $trickle
wait $monitor $trickle || true

# a monitor stays through a time without a server, and says so once
"$BUILD/bin/enclavectl" monitor "$url" --policy "$policy" --log-state "$work/log.state" --interval 1 --count 1 \
    >"$work/changes" 2>"$work/why" &
monitor=$!
await "the monitor" grep -q "entries, root" "$work/why"
check stop
await "that it is away" grep -q "does not answer; it is asked again" "$work/why"
check start
wait $monitor || fail "the monitor's end: $(cat "$work/why")"
contains "$(cat "$work/changes")" "  boot  "
equal "$(grep -c "answers again" "$work/why")" 1 "how often it was told that it is back"
equal "$(grep -c "cannot connect" "$work/why")" 1 "how often it was told why it is away"
check stop
