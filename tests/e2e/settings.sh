#!/usr/bin/env bash
# What an operator sets of an app: it reaches the guest, outlives restarts and new versions of the code, goes with the
# app, is refused with the member named when it is wrong, and is part of what the certificate attests.
. "$(dirname "$0")/lib.sh"
settings() { printf '%s' "$2" >"$work/settings"; ctl app settings "$1" "$work/settings" "${to[@]}"; }
root() { ctl app list "${to[@]}" | sed -n 's/^configuration root: //p'; }
extension() { # OID: its value in hex
    echo | openssl s_client -connect "127.0.0.1:$port" 2>/dev/null | openssl x509 -outform DER |
        openssl asn1parse -inform DER | grep -A1 ":$1\$" | sed -n 's/.*HEX DUMP\]://p' | tr A-F a-f
}

check start
push set settings
equal "$(status /set/color)" 404
first=$(root)
equal "$(settings set '{"config":{"color":"blue","size":"7"},"egress":["API.example.com","*.example.org:8443"]}')" "set set"
equal "$(get /set/color)" blue
equal "$(get /set/ | sort | tr '\n' ' ')" "color=blue size=7 "
second=$(root)
[ "$first" != "$second" ] || fail "the settings are not attested"
contains "$(cat "$work/server.log")" "app set: [critical] settings: asked for"
contains "$(cat "$work/server.log")" "app set: [info] settings: this"
shown=$(ctl app settings set "${to[@]}")
contains "$shown" '"config":{"color":"blue","size":"7"}'
# the leaf that stands for them can be made again from what is shown
hash=$(echo "$shown" | python3 -c 'import hashlib, json, sys
s = json.load(sys.stdin)
text = json.dumps(s["settings"], separators=(",", ":"), sort_keys=True).encode()
assert hashlib.sha256(bytes.fromhex(s["salt"]) + text).hexdigest() == s["sha256"]
print("same")')
equal "$hash" same

# wrong settings change nothing and say what is wrong
for wrong in '[]' '{"config":1}' '{"config":{"a":1}}' '{"environment":{"A=B":"c"}}' '{"egress":["a:b"]}' '{"egress":["*."]}' \
    '{"egress":["http://x"]}' '{"colour":{}}' '{"config":{"a":"b"},"config":{}}' '{"arguments":[1]}' '{'; do
    settings set "$wrong" >"$work/out" 2>&1 && fail "accepted: $wrong"
    grep -qE 'settings|config|environment|egress|colour|arguments|JSON' "$work/out" || fail "no clear error for $wrong: $(cat "$work/out")"
done
settings nobody '{}' >"$work/out" 2>&1 && fail "settings of an app that is not there"
contains "$(cat "$work/out")" "no app is called nobody"
equal "$(get /set/color)" blue

check stop
check start
equal "$(get /set/color)" blue "after a restart"
equal "$(root)" "$second" "the root after a restart"
push set settings
equal "$(get /set/color)" blue "with new code"
ctl app rm set "${to[@]}" >/dev/null
push set settings
equal "$(status /set/color)" 404 "an app of the same name, later"
equal "$(settings set '{}')" "set set"
has_leaf() { get /_enclave/manifest | grep -q "\"$1\""; }
! has_leaf settings:set || fail "a leaf for settings that there are not"

# the CA bundle of outgoing requests: shown by its hash, gone when it is removed
equal "$(extension 1.3.6.1.4.1.65230.2.1)" "" "no bundle"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=root -out "$work/ca.pem" 2>/dev/null
contains "$(ctl egress-ca set "$work/ca.pem" "${to[@]}")" '"certificates":1'
equal "$(extension 1.3.6.1.4.1.65230.2.1)" "$(sha256sum <"$work/ca.pem" | cut -d' ' -f1)"
has_leaf egress-ca || fail "the bundle is not attested"
echo nonsense >"$work/bad.pem"
ctl egress-ca set "$work/bad.pem" "${to[@]}" 2>"$work/out" && fail "a bundle that is none"
contains "$(cat "$work/out")" "certificate number 1 cannot be read"
check stop
check start
equal "$(extension 1.3.6.1.4.1.65230.2.1)" "$(sha256sum <"$work/ca.pem" | cut -d' ' -f1)" "after a restart"
# limits of an app, beneath the server's: each is refused with its status, and counted
field() { ctl get /metrics "${to[@]}" | python3 -c "import json, sys; print(json.load(sys.stdin)['apps']['$1']['$2'])"; }
field_is() { [ "$(field "$1" "$2")" = "$3" ]; }
push waits waits
push limited echo
push free echo
for wrong in '{"limits":[]}' '{"limits":{"requests":0}}' '{"limits":{"color":1}}'; do
    settings limited "$wrong" >"$work/out" 2>&1 && fail "accepted: $wrong"
    contains "$(cat "$work/out")" "limits: "
done
before=$(root)
settings waits '{"limits":{"requests":2}}' >/dev/null
[ "$before" != "$(root)" ] || fail "the limits are not attested"
for _ in 1 2; do get /waits/sleep -o /dev/null & done
await "two requests at once" field_is waits requests_running 2
get /waits/sleep -D "$work/head" >"$work/out"
contains "$(cat "$work/head")" "503 "
contains "$(cat "$work/head")" "retry-after: 1"
contains "$(cat "$work/out")" "as many requests as it may"
equal "$(field waits requests_refused_busy_total)" 1
push slow misbehave
settings slow '{"limits":{"timeout_ms":50}}' >/dev/null
equal "$(status /slow/loop)" 504 "a request that takes longer than its app may"
settings slow '{"limits":{"cpu_ms":50}}' >/dev/null
get /slow/loop -D "$work/head" >"$work/out"
contains "$(cat "$work/head")" "504 "
contains "$(cat "$work/out")" "computed longer than 50 ms (its settings' limits, cpu_ms)"
equal "$(field slow requests_over_cpu_total)" 1
[ "$(field slow cpu_microseconds_total)" -ge 50000 ] || fail "what it computed is not counted"
settings limited '{"limits":{"requests_per_second":1}}' >/dev/null
too_fast() { ask -i "$url/limited/" "$url/limited/" "$url/limited/" >"$work/out"; grep -q '^HTTP/1.1 429' "$work/out"; }
await "more requests than a second has" too_fast
contains "$(cat "$work/out")" "retry-after: 1"
[ "$(field limited requests_refused_fast_total)" -ge 1 ] || fail "what came too fast is not counted"
settings limited '{"limits":{"body_bytes":10}}' >/dev/null
equal "$(get /limited/ -d 0123456789)" 0123456789
equal "$(status /limited/ -d 0123456789x)" 413
equal "$(field limited requests_refused_large_total)" 1
equal "$(status /limited/ -d 0123456789x -H 'transfer-encoding: chunked')" 413 "a length that is not said before"
of_both() { ask -w ' %{num_connects} ' -d 0123456789 "$url/limited/" --next -sk -d 0123456789x "$url/free/"; }
equal "$(of_both)" "0123456789 1 0123456789x" "another app behind it, on the same connection"
push steps steps # which begins with more than a MiB
settings steps '{"limits":{"memory_mib":1}}' >"$work/out" 2>&1 && fail "a limit beneath what it begins with"
contains "$(cat "$work/out")" "the component has 18 pages of memory (64 KiB each) at its start: at most 16"
contains "$(cat "$work/out")" 422
settings steps '{"limits":{"memory_mib":2}}' >/dev/null

check ctl egress-ca rm "${to[@]}" >/dev/null
equal "$(extension 1.3.6.1.4.1.65230.2.1)" "" "removed"
! has_leaf egress-ca || fail "a leaf for a bundle that there is not"
check stop
