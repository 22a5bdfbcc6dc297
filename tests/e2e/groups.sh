#!/usr/bin/env bash
# By which groups keys are agreed on: X25519MLKEM768 with whoever knows it, as an OpenSSL 3.5 does by itself, and X25519, P-256 or
# P-384 with others. No handshake is resumed, none makes a certificate, and who offers it gets it compressed.
. "$(dirname "$0")/lib.sh"
check start
agreed() { "$BUILD/bin/group_client" "$port" "$1" | cut -d' ' -f1; }
takes() { "$BUILD/bin/group_client" "$port" X25519 "$@" | cut -d' ' -f2; }
before=$(ctl get /metrics "${to[@]}")
equal "$(agreed "")" X25519MLKEM768 "what OpenSSL 3.5 offers by itself"
equal "$(agreed X25519MLKEM768)" X25519MLKEM768 "that alone"
equal "$(agreed X25519:X25519MLKEM768)" x25519 "whoever rather has the other, and sends its share"
equal "$(agreed X25519)" x25519 "without it"
equal "$(agreed P-256)" secp256r1 "a share of P-256"
equal "$(agreed P-384)" secp384r1 "a share of P-384"
equal "$(agreed P-521:P-384)" secp384r1 "asked for another share"
for none in P-521 X448 SecP256r1MLKEM768 SecP384r1MLKEM1024 MLKEM768; do
    code=0
    "$BUILD/bin/group_client" "$port" "$none" >/dev/null || code=$?
    equal "$code" 1 "$none, which is not served"
done
compressed=$(takes) plain=$(takes plain)
[ "$compressed" -lt $((plain * 3 / 4)) ] || fail "$compressed bytes with a compressed certificate, $plain without"
after=$(ctl get /metrics "${to[@]}")
number() { grep -o "\"$1\":[0-9]*" <<<"$2" | cut -d: -f2; }
shaken=$(($(number handshakes_total "$after") - $(number handshakes_total "$before")))
[ $shaken -ge 9 ] || fail "$shaken handshakes were counted, of 9 and what enclavectl has made"
equal "$(number certificates_made_total "$after")" 1 "certificates that $shaken handshakes and the start have made"
debian=$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null)
contains "$debian" "Server Temp Key: X25519, 253 bits"
after=$(printf 'GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' |
    openssl s_client -connect "127.0.0.1:$port" -ign_eof 2>/dev/null)
contains "$after" "HTTP/1.1 200"
case $after in *'New Session Ticket'*) fail "there is a ticket, by which a handshake could be resumed" ;; esac
check stop
