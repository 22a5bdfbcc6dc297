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
sleep 1
"$BUILD/bin/memscan" "$server" "$work/leaf.pem" "$marker" >"$work/scan" || fail "memscan: $(cat "$work/scan")"
cat "$work/scan"
kill $client 2>/dev/null || true
! grep -rqa "$marker" "$work/data" || fail "the marker is in the store's files"
! grep -rqa 'PRIVATE KEY' "$work/data" || fail "a private key is in the store's files"
check stop
