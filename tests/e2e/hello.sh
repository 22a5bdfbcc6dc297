#!/usr/bin/env bash
# The main path: boot, deploy over a verified connection, verify, answer; and what a stranger sees of errors.
. "$(dirname "$0")/lib.sh"

check start
contains "$(cat "$work/server.log")" "the emulator gives no confidentiality"
contains "$(cat "$work/server.log")" "MRENCLAVE: $(ctl measure "$BUILD/enclave_os.signed")"
equal "$(get /healthz)" '{"status":"ok"}'
equal "$(status /hello/)" 404 "before deploying"
root_before=$(ctl app list "${to[@]}")

# a connection that is open while an app is deployed is not dropped, and sees the app; new ones see a new certificate
leaf() { openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
serial=$(leaf)
talk send 'GET /hello/ HTTP/1.1\r\nHost: x\r\n\r\n' until ' 404 ' touch "$work/asked" \
    await "$work/deployed" send 'GET /hello/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' eof >"$work/held" &
held=$!
await "the first answer on the held connection" test -e "$work/asked"
push hello hello-c
equal "$(status /hello/)" 200
touch "$work/deployed"
wait $held || fail "the connection held during the deployment was dropped"
# it is answered by what its handshake showed, where there is no such app, and told to connect anew, or was closed for being idle
answers=$(grep -a '^HTTP/1.1' "$work/held" | cut -d' ' -f2 | tr '\n' ' ')
[ "$answers" = "404 404 " ] || equal "$answers" "404 " "the held connection, before and after"
equal "$(status /hello/)" 200
[ "$(leaf)" != "$serial" ] || fail "the certificate did not change with the deployment"
get /hello/ | grep -qi hello || fail "hello says: $(get /hello/)"
list=$(ctl app list "${to[@]}")
contains "$list" "$(sha256sum "$BUILD/apps/hello-c.wasm" | cut -d' ' -f1)"
[ "$list" != "$root_before" ] || fail "the Merkle root did not change with the deployment"

# verify: all checks hold, and each way of being wrong is refused
check ctl verify "$url" --policy "$policy" --mrenclave "$(ctl measure "$BUILD/enclave_os.signed")" >"$work/verify.txt"
! ctl verify "$url" >/dev/null 2>&1 || fail "a simulated quote was accepted without --allow-simulation"
! ctl verify "$url" --allow-simulation --mrenclave "$(printf '00%.0s' $(seq 32))" >/dev/null 2>&1 ||
    fail "another MRENCLAVE was accepted"

# TLS 1.3 only, and no resumption
openssl s_client -connect "127.0.0.1:$port" -tls1_3 </dev/null 2>/dev/null | grep -q 'TLSv1.3' || fail "no TLS 1.3"
! openssl s_client -connect "127.0.0.1:$port" -tls1_2 </dev/null >/dev/null 2>&1 || fail "TLS 1.2 was accepted"
printf 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | # read until the server closes: a ticket would have come
    timeout $hang openssl s_client -connect "127.0.0.1:$port" -tls1_3 -quiet -ign_eof -sess_out "$work/session" >"$work/answer" 2>/dev/null || true
contains "$(cat "$work/answer")" '"status":"ok"'
[ ! -s "$work/session" ] || fail "the server gave out a session ticket"

# other people's admin keys and replays
ctl keygen "$work/other.key" >/dev/null
! ctl app rm hello --url "$url" --admin-key "$work/other.key" --policy "$policy" 2>/dev/null || fail "a stranger removed an app"
equal "$(status /_enclave/apps)" 401 "no token"
# memory is for those who may have it: a stranger is answered before the body
big="PUT /_enclave/apps/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer stranger\r\nContent-Length: 60000000\r\n\r\n"
equal "$(talk send "$big" until '\n' | head -n 1 | tr -d '\r')" "HTTP/1.1 401 Unauthorized" "a body from a stranger"
equal "$(status /hello/)" 200

# a component that cannot run here is refused with the reason
printf '\0asm\x0d\0\1\0' >"$work/empty.wasm"
! why=$(ctl app push empty "$work/empty.wasm" "${to[@]}" 2>&1) ||
    fail "a component without a handler was deployed"
contains "$why" "incoming-handler"

ctl app rm hello "${to[@]}" >/dev/null
equal "$(status /hello/)" 404 "after removal"
check stop
