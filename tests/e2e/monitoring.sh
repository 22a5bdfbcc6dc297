#!/usr/bin/env bash
# A monitoring token is for one request: its method, its path, no body, once; it administers nothing, and nothing else
# monitors.
. "$(dirname "$0")/lib.sh"
check start
spki=$(spki_sha256)
token() { python3 "$(dirname "$0")/admin_token.py" "$admin" "$spki" "$@"; }
asked() { status "$1" -H "Authorization: Bearer $2" "${@:3}"; }

one=$(token)
equal "$(asked /metrics "$one")" 200 "a token for it"
equal "$(asked /metrics "$one")" 401 "the same token again"
equal "$(asked /metrics "$(token path=/status)")" 401 "a token for another path"
equal "$(asked '/metrics?x=1' "$(token)")" 401 "a token for it without the query"
equal "$(asked '/metrics?x=1' "$(token 'path=/metrics?x=1')")" 200 "a token for it with the query"
equal "$(asked /metrics "$(token method=HEAD)")" 401 "a token for another method"
equal "$(asked /metrics "$(token body_sha256=00)")" 401 "a token for a body"
equal "$(asked /metrics "$(token jti=short)")" 401 "a jti that is too short"
equal "$(asked /metrics "$(token jti=)")" 401 "no jti"
equal "$(asked /metrics "$(token scope=)")" 401 "a token without the scope"
equal "$(asked /_enclave/apps "$(token path=/_enclave/apps)")" 401 "administration with a monitoring token"
equal "$(asked /_enclave/apps "$(token path=/_enclave/apps scope=)")" 200 "administration with its own"
for page in /readyz /status /metrics; do
    ctl get $page "${to[@]}" >/dev/null || fail "enclavectl get $page"
done
check stop
