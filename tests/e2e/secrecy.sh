#!/usr/bin/env bash
# What the host can see: its memory outside ELRANGE, its files and its network traffic, to clients and to servers that
# apps call, hold neither a guest's plaintext, nor its settings, nor the TLS key. The search must find them inside
# ELRANGE, or it proves nothing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upstream.sh"
marker=MARKER-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')

check start
push echo echo
push counter counter-c
openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 >"$work/leaf.pem"
# held open with the marker inside the enclave while memory is searched
talk send "POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n$marker" until "$marker" \
    touch "$work/held" await "$work/searched" >/dev/null &
client=$!
await "the echo of the marker" test -e "$work/held"
get "/counter/?$marker" >/dev/null
# in settings, in a file, and in a bucket
push files files-c
get "/files/$marker" -X PUT -d "$marker" >/dev/null
get "/counter/put/$marker" >/dev/null
# the same marker through a recorder on the wire, there and back
wire=$(free_port)
socat -r "$work/to-server" -R "$work/to-client" "TCP-LISTEN:$wire,bind=127.0.0.1,reuseaddr" "TCP:127.0.0.1:$port" &
await "the recorder" listening_to "$wire"
equal "$(ask "https://127.0.0.1:$wire/echo/" -d "$marker")" "$marker" "through the recorder"
# and to a server elsewhere
leaf good DNS:localhost 10
upstream good
outward=$(free_port)
socat -r "$work/to-upstream" -R "$work/from-upstream" "TCP-LISTEN:$outward,bind=127.0.0.1,reuseaddr" "TCP:127.0.0.1:$up" &
await "the outward recorder" listening_to "$outward"
push gate gateway-c
printf '{"egress":["localhost:%s"],"config":{"secret":"%s"}}' "$outward" "$marker" >"$work/settings"
ctl app settings gate "$work/settings" "${to[@]}" >/dev/null
ctl egress-ca set "$work/ca.pem" "${to[@]}" >/dev/null
equal "$(get /gate/echo -H "x-to: localhost:$outward" -d "$marker")" "$marker" "through the outward recorder"
rm "$work/settings"
for side in to-server to-client to-upstream from-upstream; do
    [ "$(stat -c %s "$work/$side")" -gt 300 ] || fail "nothing was recorded ($side)"
    ! grep -qa "$marker" "$work/$side" || fail "the marker is on the wire ($side)"
done
"$BUILD/bin/memscan" "$server" "$work/leaf.pem" "$marker" >"$work/scan" || fail "memscan: $(cat "$work/scan")"
cat "$work/scan"
touch "$work/searched"
wait $client
! grep -rqa "$marker" "$work/data" || fail "the marker is in the store's files"
! grep -rqa 'PRIVATE KEY' "$work/data" || fail "a private key is in the store's files"
check stop
