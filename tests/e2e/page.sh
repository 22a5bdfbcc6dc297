#!/usr/bin/env bash
# The page for people at /_enclave/: what runs here, read without any script, by curl and by a real browser.
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
case $shown in *"<script"*) fail "it has a script" ;; esac

# It says the same as the certificate's generation: a connection that was there before a change sees what it began with.
fields=$(get /_enclave/ -D - -o /dev/null)
for field in "text/html; charset=utf-8" "content-security-policy: default-src 'none'; style-src 'self'" "x-content-type-options: nosniff" \
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

# A browser shows it, with its style and without an error of its own.
if command -v chromium >/dev/null && command -v certutil >/dev/null; then
    mkdir -p "$work/home/.pki/nssdb"
    certutil -N -d "sql:$work/home/.pki/nssdb" --empty-password
    check ctl ca "https://localhost:$port" --out "$work/ca.pem" --allow-simulation --mrenclave "$(ctl measure "$BUILD/enclave_os.signed")" >/dev/null
    certutil -A -d "sql:$work/home/.pki/nssdb" -n enclave -t C,, -i "$work/ca.pem"
    HOME=$work/home timeout "$hang" chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        --user-data-dir="$work/profile" --disable-background-networking --disable-component-update --no-proxy-server \
        --host-resolver-rules="MAP * ~NOTFOUND, EXCLUDE localhost" --enable-logging=stderr --window-size=1200,2200 \
        --screenshot="${SCREENSHOT:-$work/page.png}" "https://localhost:$port/_enclave/" 2>"$work/browser.log" ||
        fail "chromium ended with $?: $(tail -n 5 "$work/browser.log")"
    [ -s "${SCREENSHOT:-$work/page.png}" ] || fail "no picture: $(tail -n 5 "$work/browser.log")"
    ! grep -E 'CONSOLE|Refused to' "$work/browser.log" || fail "the browser has something against it"
fi
check stop
