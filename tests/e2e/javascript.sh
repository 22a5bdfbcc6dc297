#!/usr/bin/env bash
# The JavaScript example: 13 MB of engine compiled inside the enclave, answers, fetches from elsewhere, and starts quickly
# from the sealed artefact.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upstream.sh"

check start
push js hello-js
push hello hello-c
contains "$(get /js/)" "JavaScript"
for _ in 1 2 3 4 5; do equal "$(status /js/)" 200; done
leaf good DNS:localhost 10
upstream good
from() { get "/js/from?https%3A%2F%2Flocalhost%3A$up$1" "${@:2}"; }
contains "$(from /bytes/5)" "Error" # denied by default
allow js "\"localhost:$up\""
ctl egress-ca set "$work/ca.pem" "${to[@]}" >/dev/null
equal "$(from /bytes/16)" 0123456789abcdef "fetch"
equal "$(from /chunked/100000 | wc -c)" 100000 "fetch of a long body"
equal "$(from /echo -d 'there and back')" "there and back" "fetch with a body"
check stop
begin=$(date +%s%N)
check start
contains "$(get /js/)" "JavaScript"
echo "first answer of the JavaScript app $((($(date +%s%N) - begin) / 1000000)) ms after start"
check stop
