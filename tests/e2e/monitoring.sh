#!/usr/bin/env bash
# A monitoring token is for one request: its method, its path, no body, once; it administers nothing, and nothing else
# monitors.
. "$(dirname "$0")/lib.sh"
check start
cat >"$work/token.py" <<'PY'
import base64, hashlib, json, os, subprocess, sys, time
key, spki = sys.argv[1:3]
claims = dict(aud=spki, method="GET", path="/metrics", body_sha256=hashlib.sha256(b"").hexdigest(), jti=os.urandom(16).hex(),
              iat=int(time.time()), exp=int(time.time()) + 300, scope="monitoring")
for change in sys.argv[3:]:
    name, _, value = change.partition("=")
    claims[name] = value
    if value == "":
        del claims[name]
b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
text = b64(b'{"alg":"ES256"}') + b"." + b64(json.dumps(claims).encode())
der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text, stdout=subprocess.PIPE, check=True).stdout
r, s = der[4:4 + der[3]], der[6 + der[3]:]
print((text + b"." + b64(b"".join(n[-32:].rjust(32, b"\0") for n in (r, s)))).decode())
PY
spki=$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -c1-64)
token() { python3 "$work/token.py" "$admin" "$spki" "$@"; }
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
    ctl get $page --url "$url" --admin-key "$admin" --allow-simulation >/dev/null || fail "enclavectl get $page"
done
check stop
