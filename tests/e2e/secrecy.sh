#!/usr/bin/env bash
# What the host can see: its memory outside ELRANGE, its files and its network traffic hold neither a guest's plaintext
# nor the TLS key. The search must find both inside ELRANGE, or it proves nothing.
. "$(dirname "$0")/lib.sh"
marker=MARKER-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')

check start
push echo echo
push counter counter-c
openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 >"$work/leaf.pem"
# held open with the marker inside the enclave while memory is searched
(printf 'POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n%s' "$marker"; sleep 6) |
    openssl s_client -connect "127.0.0.1:$port" -quiet >/dev/null 2>&1 &
client=$!
get "/counter/?$marker" >/dev/null
# the same marker through a recorder on the wire, there and back
wire=$(free_port)
socat -r "$work/to-server" -R "$work/to-client" "TCP-LISTEN:$wire,bind=127.0.0.1,reuseaddr" "TCP:127.0.0.1:$port" &
sleep 0.3
equal "$(curl -sk --max-time 10 "https://127.0.0.1:$wire/echo/" -d "$marker")" "$marker" "through the recorder"
for side in to-server to-client; do
    [ "$(stat -c %s "$work/$side")" -gt 300 ] || fail "nothing was recorded ($side)"
    ! grep -qa "$marker" "$work/$side" || fail "the marker is on the wire ($side)"
done
sleep 1
"$BUILD/bin/memscan" "$server" "$work/leaf.pem" "$marker" >"$work/scan" || fail "memscan: $(cat "$work/scan")"
cat "$work/scan"
kill $client 2>/dev/null || true
! grep -rqa "$marker" "$work/data" || fail "the marker is in the store's files"
! grep -rqa 'PRIVATE KEY' "$work/data" || fail "a private key is in the store's files"
check stop
