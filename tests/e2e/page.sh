#!/usr/bin/env bash
# The page for people at /_enclave/: what runs here, read without any script, by curl and by a real browser; the verdict of the
# JavaScript verifier on it, step by step; and the same as a file of one's own.
. "$(dirname "$0")/lib.sh"
check start
push hello hello-c
push echo echo
echo '{"egress":["api.example.com"]}' >"$work/settings.json"
check ctl app settings echo "$work/settings.json" "${to[@]}" >/dev/null

shown=$(get /_enclave/)
code=$(sha256sum <"$BUILD/apps/hello-c.wasm" | cut -d' ' -f1)
root=$(get /_enclave/manifest | python3 -c 'import json, sys; print(json.load(sys.stdin)["merkle_root"])')
for part in "By itself, nothing." "$code" "$root" "api.example.com:443" "the operator: any code, at any time" "app push hello" \
    "app settings echo" "threshold=1" "$(ctl measure "$BUILD/enclave_os.signed")" "verify https://127.0.0.1:$port --policy"; do
    contains "$shown" "$part"
done
equal "$(grep -o '<script' <<<"$shown" | wc -l)" 1 "its scripts"
get /_enclave/page.js >"$work/page.js"
hash=$(openssl dgst -sha256 -binary "$work/page.js" | base64)
contains "$shown" "<script defer=\"defer\" src=\"/_enclave/page.js\" integrity=\"sha256-$hash\"></script>"
contains "$shown" "$(sha256sum <"$work/page.js" | cut -d' ' -f1)"

# It says the same as the certificate's generation: a connection that was there before a change sees what it began with.
fields=$(get /_enclave/ -D - -o /dev/null)
for field in "text/html; charset=utf-8" "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';" "x-content-type-options: nosniff" \
    "cache-control: no-store"; do
    contains "${fields,,}" "$field"
done
equal "$(get /_enclave/page.css)" "$(cat "$(dirname "$0")/../../enclave/page/page.css")" "its style"
equal "$(status /_enclave/ -X POST)" 405 "another method"
equal "$(status /_enclave/page.css -X PUT)" 405 "another method"
equal "$(status /_enclave/page.html)" 404 "another path"
equal "$(get /_enclave/ -I -o /dev/null -w '%{http_code}')" 200 "HEAD"
get /_enclave/ -H 'Host: a;b' >"$work/odd.html" 2>&1 || true # refused, or not repeated
! grep -q 'https://a;b' "$work/odd.html" || fail "it repeats a host that is none"

# More history than a page has room for, and many who read at once.
for i in $(seq 22); do
    echo "{\"config\":{\"n\":\"$i\"}}" >"$work/settings.json"
    check ctl app settings hello "$work/settings.json" "${to[@]}" >/dev/null
done
entries=$(get /_enclave/log/checkpoint | sed -n 2p)
shown=$(get /_enclave/)
contains "$shown" "$entries entries in a log to which can only be added, of which these are the newest"
equal "$(grep -c '>app settings hello<' <<<"$shown")" 20 "entries that are shown"
readers=
for i in $(seq 40); do
    get /_enclave/ -o "$work/reader.$i" -w '%{http_code}\n' >>"$work/statuses" &
    readers="$readers $!"
done
wait $readers
! grep -vE '^(200|503)$' "$work/statuses" || fail "another status"
contains "$(cat "$work/statuses")" 200
for i in $(seq 40); do
    grep -q '^too many read this page at once\|^503\|</html>' "$work/reader.$i" || fail "reader $i: $(head -c 300 "$work/reader.$i")"
done
contains "$(get /_enclave/)" "</html>" # nothing is left of them

# What proves something, pages of other origins may read, and nothing else.
shared() { get "$1" -D - -o /dev/null "${@:2}" | tr -d '\r' | grep -ci '^access-control-allow-origin: \*$' || true; }
leaf='{"v":1,"mode":"deterministic","leaf":"'$(python3 -c 'import base64, sys; print(base64.urlsafe_b64encode(bytes.fromhex(sys.argv[1])).decode().rstrip("="))' "$(spki_sha256)")'"}'
for path in manifest proof/app:hello proof/nobody log/checkpoint log/nobody ohttp-keys ohttp-keys/evidence; do
    equal "$(shared "/_enclave/$path")" 1 "leave to read $path"
done
equal "$(shared /_enclave/evidence -H 'Content-Type: application/json' -d "$leaf")" 1 "leave to read evidence"
equal "$(status /_enclave/evidence -X OPTIONS)" 204 "what a browser asks before"
for path in /_enclave/evidence /__privasys/attest; do
    fields=$(get "$path" -X OPTIONS -D - -o /dev/null)
    for field in "access-control-allow-origin: *" "access-control-allow-methods: POST, OPTIONS" "access-control-allow-headers: content-type"; do
        contains "${fields,,}" "${field,,}"
    done
done
for path in /hello/ /echo/ /_enclave/ /_enclave/page.js /_enclave/apps /_enclave/recovery/shares /healthz /metrics /nobody; do
    equal "$(shared "$path")" 0 "leave to read $path"
done
equal "$(shared /_enclave/ohttp -X OPTIONS)" 0 "leave to send encrypted requests"
equal "$(shared /_enclave/ohttp -H 'Content-Type: message/ohttp-req' -d x)" 0 "leave to read their answers"

# A browser shows it, with its style and without an error of its own, and judges it.
if command -v chromium >/dev/null && command -v certutil >/dev/null; then
    mkdir -p "$work/home/.pki/nssdb"
    certutil -N -d "sql:$work/home/.pki/nssdb" --empty-password
    check ctl ca "https://localhost:$port" --out "$work/ca.pem" --allow-simulation --mrenclave "$(ctl measure "$BUILD/enclave_os.signed")" >/dev/null
    certutil -A -d "sql:$work/home/.pki/nssdb" -n enclave -t C,, -i "$work/ca.pem"
    python3 - "$policy" "$work" <<'PYTHON'
import json, sys
policy = json.load(open(sys.argv[1]))
json.dump({**policy, "instance": "00" * 32}, open(sys.argv[2] + "/other.json", "w"))
json.dump({**policy, "nobody": 1}, open(sys.argv[2] + "/nonsense.json", "w"))
PYTHON
    cp "$("$SOURCE/bindings/javascript/test/packages.sh")/axe-core/axe.min.js" "$work/axe.js"
    timeout "$hang" node "$(dirname "$0")/page.mjs" "https://localhost:$port" "$BUILD/check.html" "$work" || fail "in the browser"
    [ -z "${PICTURES:-}" ] || cp "$work"/page-*.png "$PICTURES/"
fi
check stop
