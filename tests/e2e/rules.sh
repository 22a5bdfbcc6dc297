#!/usr/bin/env bash
# Whose an app is: its identity has its data, and its rule says who may change it. The administrator, who has the admin key, all
# publications that there ever were, and the host's options, tries everything against a publisher's app and a frozen one.
. "$(dirname "$0")/lib.sh"
good=$BUILD/apps/files-c.wasm
other=$work/other.wasm # does the same, and is other code
{ cat "$good"; printf '\0\6\5other'; } >"$other"
third=$work/third.wasm
{ cat "$good"; printf '\0\6\5third'; } >"$third"
ctl keygen "$work/publisher.key" >/dev/null
ctl keygen "$work/stranger.key" >/dev/null
publisher=publisher:$work/publisher.key.pub

publish() { # FILE NAME WASM OPTION...: by the publisher
    ctl publish "$2" "$3" --key "$work/publisher.key" --out "$work/$1" "${@:4}"
}
leaf() { # LABEL: its value as text
    get /_enclave/manifest | python3 -c 'import json, sys
for leaf in json.load(sys.stdin)["leaves"]:
    if leaf["label"] == sys.argv[1]:
        sys.stdout.buffer.write(bytes.fromhex(leaf["value"]))' "$1"
}
identity() { leaf "rule:$1" | sed -n 's/^id=//p'; }
generation() { get /_enclave/manifest | grep -o '"generation":[0-9]*'; }
put() { equal "$(status "$1" -X PUT --data-binary "$2")" 200 "PUT $1"; } # PATH BYTES
settings() { printf '%s' "$2" >"$work/settings"; ctl app settings "$1" "$work/settings" "${to[@]}"; }
push_as() { ctl app push "$1" "$2" "${to[@]}" "${@:3}"; }

# refused WORDS COMMAND...: the server says no, in these words, and nothing is another than before
refused() {
    local words=$1 before result=0
    before=$(generation)
    shift
    "$@" >"$work/out" 2>&1 || result=$?
    equal $result 1 "status of: $* ($(cat "$work/out"))"
    contains "$(cat "$work/out")" "$words"
    equal "$(generation)" "$before" "the generation after: $*"
    equal "$(get /vault/secret)" "a client's secret" "after: $*"
}

check start

# ---- the operator's app: other code is let in, and its swap is seen; what was stored goes with the app ----
push_as open "$good" >/dev/null
contains "$(leaf rule:open)" "rule=operator"
put /open/note operator
first=$(identity open)
equal ${#first} 32 "digits of an identity"
before=$(generation)
push_as open "$other" >/dev/null
push_as open "$good" --rule operator >/dev/null
[ "$(generation)" != "$before" ] || fail "a swap and back is not seen"
equal "$(identity open)" "$first" "the identity after other code"
equal "$(get /open/note)" operator
refused_operator() { ! push_as open "$good" "$@" >"$work/out" 2>&1 || fail "the rule was changed: $*"; contains "$(cat "$work/out")" "fixed by its first push"; }
refused_operator --rule frozen
publish open.1 open "$good" --version 1
refused_operator --rule "$publisher" --publication "$work/open.1"
! push_as open "$good" --publication "$work/open.1" >"$work/out" 2>&1 || fail "a publication is taken and ignored"
contains "$(cat "$work/out")" "has no publisher"
records=$(others)
ctl app rm open "${to[@]}" >/dev/null
await "the end of what it stored" logged "what a removed app has stored ($first) is gone"
[ "$(others)" -lt "$records" ] || fail "its records are still there"
push_as open "$other" >/dev/null
[ "$(identity open)" != "$first" ] || fail "another app has the same identity"
equal "$(status /open/note)" 404 "what the app before it stored"

# ---- a publisher's app ----
! push_as vault "$good" --rule "$publisher" >"$work/out" 2>&1 || fail "a publisher's app without a publication"
contains "$(cat "$work/out")" "--publication"
publish vault.1 vault "$good" --version 1 --egress 'api.example.com,*.example.org:8443' --memory-mib 64 --settings config
publish other-name.1 other "$good" --version 1
publish other-code.1 vault "$other" --version 1
push_first() { push_as vault "$1" --rule "$publisher" --publication "$work/$2"; }
! push_first "$other" vault.1 >"$work/out" 2>&1 || fail "other code than was published"
contains "$(cat "$work/out")" "other code"
! push_first "$good" other-name.1 >"$work/out" 2>&1 || fail "published under another name"
contains "$(cat "$work/out")" "an app called other"
ctl publish vault "$good" --version 1 --key "$work/stranger.key" --out "$work/strange.1"
! push_first "$good" strange.1 >"$work/out" 2>&1 || fail "published by another"
contains "$(cat "$work/out")" "not signed"
equal "$(status /vault/secret)" 404 "nothing is there yet"
push_first "$good" vault.1 >/dev/null
id=$(identity vault)
key=$(openssl pkey -pubin -in "$work/publisher.key.pub" -outform DER | sha256sum | cut -d' ' -f1)
equal "$(leaf rule:vault)" "$(printf 'id=%s\nrule=publisher\nkey=%s\nversion=1\negress=*.example.org:8443,api.example.com:443\nmemory-mib=64\nsettings=config' "$id" "$key")"
contains "$(ctl app list "${to[@]}")" "id $id  publisher $key, version 1"
put /vault/secret "a client's secret"

# Code: no other, not the same again, not under another rule.
refused "only with a publication" push_as vault "$other"
refused "only with a publication" push_as vault "$good"
refused "other code" push_as vault "$other" --publication "$work/vault.1"
refused "has to name its app_id" push_as vault "$good" --publication "$work/vault.1"
refused "has to name its app_id" push_as vault "$other" --publication "$work/other-code.1"
ctl publish vault "$other" --version 9 --app-id "$id" --key "$admin" --out "$work/admin.9"
refused "not signed as one by this app's publisher" push_as vault "$other" --publication "$work/admin.9"
refused "fixed by its first push" push_as vault "$other" --publication "$work/admin.9" --rule "publisher:$admin.pub"
refused "fixed by its first push" push_as vault "$other" --rule operator
refused "fixed by its first push" push_as vault "$good" --rule frozen

# A second version, and then: the first one again, the second again, versions below, others' publications.
publish vault.2 vault "$other" --version 2 --app-id "$id" --egress 'api.example.com,*.example.org:8443' --settings config
publish vault.2b vault "$third" --version 2 --app-id "$id"
publish vault.1b vault "$good" --version 1 --app-id "$id"
push_as vault "$other" --publication "$work/vault.2" --rule "$publisher" >/dev/null
equal "$(get /vault/secret)" "a client's secret" "under the new code"
refused "not above 2" push_as vault "$other" --publication "$work/vault.2"
refused "not above 2" push_as vault "$third" --publication "$work/vault.2b"
refused "not above 2" push_as vault "$good" --publication "$work/vault.1b"
refused "has to name its app_id" push_as vault "$good" --publication "$work/vault.1"
publish no-id.9 vault "$third" --version 9
publish name.9 other "$third" --version 9 --app-id "$id"
publish instance.9 vault "$third" --version 9 --app-id "$(identity open)"
publish code.9 vault "$good" --version 9 --app-id "$id"
refused "has to name its app_id" push_as vault "$third" --publication "$work/no-id.9"
refused "an app called other" push_as vault "$third" --publication "$work/name.9"
refused "another app or instance" push_as vault "$third" --publication "$work/instance.9"
refused "other code" push_as vault "$third" --publication "$work/code.9"
# what was signed, changed: another version, of the same signature; and another purpose's signature
python3 - "$work/vault.2b" "$work/forged" <<'END'
import base64, sys
head, claims, signature = open(sys.argv[1]).read().strip().split(".")
claims = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).replace(b'"version":2', b'"version":3')
open(sys.argv[2], "w").write(".".join((head, base64.urlsafe_b64encode(claims).decode().rstrip("="), signature)))
END
refused "not signed" push_as vault "$third" --publication "$work/forged"
printf 'e30.e30.AAAA' >"$work/nonsense"
refused "no JWS" push_as vault "$third" --publication "$work/nonsense"

# Settings: nowhere else, and nothing that the publisher does not leave to the administrator.
for egress in evil.example api.example.com:8443 '*.example.com' '*.com' 'sub.api.example.com' '*.api.example.com' example.org:8443 \
    x.example.org '*.org:8443' notexample.org:8443 127.0.0.1 '[::1]:8443'; do
    refused "does not let it connect" settings vault '{"egress":["api.example.com","'"$egress"'"]}'
done
refused "does not leave environment" settings vault '{"environment":{"LD_PRELOAD":"x"}}'
refused "does not leave arguments" settings vault '{"arguments":["-e","evil()"]}'
refused "does not leave peers" settings vault '{"peers":"request"}'
refused "does not leave arguments" settings vault '{"config":{"a":"b"},"arguments":["x"]}'
settings vault '{"config":{"a":"b"},"egress":["api.example.com","a.example.org:8443"]}' >/dev/null
equal "$(leaf egress:vault)" "a.example.org:8443,api.example.com:443"
# code that may less than its settings say is not let in beside them
publish vault.3 vault "$third" --version 3 --app-id "$id" --egress api.example.com --settings config
refused "does not let it connect to a.example.org" push_as vault "$third" --publication "$work/vault.3"
settings vault '{"egress":["api.example.com"]}' >/dev/null
push_as vault "$third" --publication "$work/vault.3" >/dev/null
equal "$(get /vault/secret)" "a client's secret" "under the third code"

# Whom it believes elsewhere: a CA of the administrator's would be anybody at all.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=root -out "$work/ca.pem" 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=evil -out "$work/evil.pem" 2>/dev/null
publish vault.4 vault "$third" --version 4 --app-id "$id" --egress api.example.com --egress-ca "$work/ca.pem"
ctl egress-ca set "$work/evil.pem" "${to[@]}" >/dev/null
refused "another bundle of CAs" push_as vault "$third" --publication "$work/vault.4"
ctl egress-ca set "$work/ca.pem" "${to[@]}" >/dev/null
push_as vault "$third" --publication "$work/vault.4" >/dev/null
refused "another bundle of CAs" ctl egress-ca set "$work/evil.pem" "${to[@]}"
ctl egress-ca rm "${to[@]}" >/dev/null # which lets nothing connect
refused "another bundle of CAs" ctl egress-ca set "$work/evil.pem" "${to[@]}"
ctl egress-ca set "$work/ca.pem" "${to[@]}" >/dev/null

# What comes with code comes with nothing else, and once.
request() { # METHOD PATH HEADER...: what the server says to a client that nobody authorised
    local headers=() header
    for header in "${@:3}"; do headers+=(-H "$header"); done
    get "/_enclave/apps/$2" -X "$1" "${headers[@]}" -H 'Content-Length: 0' -o /dev/null -w '%{http_code}'
}
equal "$(request PUT vault 'Enclave-Publication: a' 'Enclave-Publication: b')" 400 "two publications"
equal "$(request PUT 'vault?rule=operator')" 401 "no token"

# Whoever restarts it, as whatever: rule, identity, version and data stay.
before=$(leaf rule:vault)
check stop
check start --app-memory 512
equal "$(leaf rule:vault)" "$before" "the rule after a restart"
equal "$(get /vault/secret)" "a client's secret" "after a restart"
refused "not above 4" push_as vault "$third" --publication "$work/vault.4"
refused "not above 4" push_as vault "$other" --publication "$work/vault.2"
refused "does not let it connect" settings vault '{"egress":["evil.example"]}'

# Limits: as low as the publisher fixed them, whatever the server's are.
publish bounded.1 bounded "$BUILD/apps/misbehave.wasm" --version 1 --timeout-ms 500 --memory-mib 8
push_as bounded "$BUILD/apps/misbehave.wasm" --rule "$publisher" --publication "$work/bounded.1" >/dev/null
equal "$(status /bounded/loop)" 504 "a request's time, of which the server gives $hang s"
publish small.1 small "$BUILD/apps/misbehave.wasm" --version 1 --memory-mib 12
push_as small "$BUILD/apps/misbehave.wasm" --rule "$publisher" --publication "$work/small.1" >/dev/null
get /small/hoard -o /dev/null & # takes 16 MiB at once, if it may, and then less and less
hoarder=$!
await "a guest's memory" metric_reaches guest_memory_bytes $((10 << 20))
[ "$(metric guest_memory_bytes)" -lt $((16 << 20)) ] || fail "a guest has more than its publisher fixed"
kill $hoarder

# Removed and pushed again: another app without data, though the publication for a first push is as good as it was.
ctl app rm vault "${to[@]}" >/dev/null
push_first "$good" vault.1 >/dev/null
[ "$(identity vault)" != "$id" ] || fail "another app has the same identity"
equal "$(status /vault/secret)" 404 "what the app before it stored"
put /vault/secret "a client's secret"
refused "another app or instance" push_as vault "$third" --publication "$work/vault.3"
ctl app rm vault "${to[@]}" >/dev/null
push_as vault "$other" >/dev/null # the operator's now
equal "$(status /vault/secret)" 404 "what the app before it stored"
contains "$(leaf rule:vault)" "rule=operator"
put /vault/secret "a client's secret"

# ---- a frozen app ----
push_as ice "$good" --rule frozen >/dev/null
equal "$(leaf rule:ice)" "$(printf 'id=%s\nrule=frozen' "$(identity ice)")"
refused "frozen: its code never changes" push_as ice "$other"
refused "frozen: its code never changes" push_as ice "$good"
refused "frozen: its code never changes" push_as ice "$good" --rule frozen
refused "fixed by its first push" push_as ice "$good" --rule operator
publish ice.1 ice "$good" --version 1
refused "fixed by its first push" push_as ice "$good" --rule "$publisher" --publication "$work/ice.1"
refused "frozen: its settings never change" settings ice '{}'
refused "frozen: its settings never change" settings ice '{"config":{"a":"b"}}'
ctl app rm ice "${to[@]}" >/dev/null # its owner may still end it, with its data

# ---- a removal that is cut off goes on at the next start ----
push_as open "$good" >/dev/null
for n in $(seq 40); do
    put /open/f$n "$(seq 2000)"
done
gone=$(identity open)
ctl app rm open "${to[@]}" >/dev/null
crash
is_gone() { logged "what a removed app has stored ($gone) is gone"; }
ended=false # before it was cut off, in which case the next start has nothing to say of it
! is_gone || ended=true
check start
$ended || await "the end of what it stored" is_gone
few() { [ "$(others)" -lt 40 ]; }
await "the end of what says so" few
equal "$(get /vault/secret)" "a client's secret" "another app's data"
check stop
echo "rules: ok"
