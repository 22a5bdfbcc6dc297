#!/usr/bin/env bash
# Certificates of a public authority for the names of apps, by ACME: Pebble validates the name over TLS-ALPN-01 and issues, and
# then whoever trusts its root is served under it without more, a browser too. Account and keys are the enclave's; evidence is
# made of the key that is shown. They outlive generations and restarts, are renewed, and go back to the enclave's own at the end.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/acme_lib.sh"

acme_start
check start --workers 2
push shop echo
push hello hello-c
ctl egress-ca set "$acme_tls" "${to[@]}" >/dev/null
settings shop '{"hostnames": ["shop.example.com"]}'
contains "$(issuer shop.example.com)" "Enclave OS"
! named_by_authority shop.example.com || fail "trusted before there is a certificate"
question() { # PROTOCOL: what TLS says to who asks for the name with it
    openssl s_client -connect "127.0.0.1:$port" -servername shop.example.com -alpn "$1" </dev/null 2>&1 || true
}
contains "$(question acme-tls/1)" "no application protocol"

# ---- one is ordered, and comes ---------------------------------------------------------------------------------------------
before=$(metric generation)
ctl acme set "$acme_directory" agree somebody@example.com "${to[@]}" >"$work/said" || fail "$(cat "$work/said")"
await "a certificate" named_by_authority shop.example.com
equal "$(at shop.example.com / -d "under a public name")" "under a public name"
contains "$(issuer shop.example.com)" "Pebble"
equal "$(metric generation)" $((before + 1)) "the settings are a generation, a certificate that comes is none"
equal "$(told 'names["shop.example.com"]["served"]')" True
equal "$(told 'names["shop.example.com"]["error"] if "error" in names["shop.example.com"] else None')" None
equal "$(metric acme_certificates) $(metric acme_failures_total) $(metric acme_names_failing)" "1 0 0"
contains "$(shown localhost -noout -issuer)" "Enclave OS"
contains "$(question acme-tls/1)" "no application protocol"
contains "$(ctl acme show "${to[@]}")" "\"directory\":\"$acme_directory\""
get /_enclave/manifest | python3 -c 'import json, sys
leaf = {l["label"]: bytes.fromhex(l["value"]) for l in json.load(sys.stdin)["leaves"]}["acme"]
assert leaf.decode() == json.dumps({"contact": ["mailto:somebody@example.com"], "directory": sys.argv[1], "terms_agreed": True},
                                   sort_keys=True, separators=(",", ":")), leaf' "$acme_directory" || fail "the leaf acme"
contains "$(ctl log "$url" --policy "$policy" --root "$work/sim/quote-simulation/root.pem" 2>&1)" "acme"

# ---- what the certificate does not say, evidence does: over its key, by the generation that serves it ------------------------
leaf_of() { shown "$1" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | basenc --base64url | tr -d '='; }
ours() { at shop.example.com /_enclave/evidence --data-binary "{\"v\":1,\"mode\":\"deterministic\",\"leaf\":\"$1\"}" "${@:2}"; }
leaf=$(leaf_of shop.example.com)
ours "$leaf" >"$work/answer"
get /_enclave/manifest >"$work/manifest"
until=$(date -u -d "$(shown shop.example.com -noout -enddate | cut -d= -f2)" +%Y-%m-%dT%H:%M:%SZ)
python3 - "$work" "$leaf" "$until" <<'P' || fail "$(cat "$work/answer")"
import base64, hashlib, json, sys
work, leaf, until = sys.argv[1:]
answer, manifest = json.load(open(work + "/answer")), json.load(open(work + "/manifest"))
decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
quote, claims = decode(answer["quote"]), json.loads(answer["claims"])
assert quote[368:432] == hashlib.sha512(decode(leaf) + hashlib.sha256(answer["claims"].encode()).digest()).digest()
assert claims["merkle_root"] == manifest["merkle_root"] and claims["instance"] == manifest["instance"]
assert claims["generation"] == manifest["generation"] and claims["not_after"] == until
P
equal "$(ours "$(leaf_of localhost)" -o /dev/null -w '%{http_code}')" 409 "the server's own key is another"
attest() { at shop.example.com /__privasys/attest --data-binary "{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"$leaf\"}" -o /dev/null -w '%{http_code}'; }
equal "$(attest)" 200

# ---- it lives longer than generations and starts ------------------------------------------------------------------------------
serial=$(shown shop.example.com -noout -serial)
orders=$(metric acme_orders_total)
settings hello '{"config": {"a": "b"}}'
equal "$(shown shop.example.com -noout -serial)" "$serial" "behind another generation"
check stop
check start --workers 2
equal "$(shown shop.example.com -noout -serial)" "$serial" "behind another start"
equal "$(leaf_of shop.example.com)" "$leaf"
equal "$(metric acme_orders_total)" 0 "ordered again though there is one"
! grep -aq "BEGIN CERT" -r "$work/data" || fail "the data folder has something in it that is not sealed"

# ---- another name, and a browser -------------------------------------------------------------------------------------------------
settings hello '{"hostnames": ["hello.example.com"]}'
await "the other name's certificate" named_by_authority hello.example.com
equal "$(shown shop.example.com -noout -serial)" "$serial" "the first name's, meanwhile"
if command -v chromium >/dev/null && command -v certutil >/dev/null; then
    mkdir -p "$work/home/.pki/nssdb"
    certutil -N -d "sql:$work/home/.pki/nssdb" --empty-password
    browse() { # LOG: the page's text; what happened below it is in $work/LOG.json
        HOME=$work/home timeout "$hang" chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
            --user-data-dir="$work/profile-$1" --disable-background-networking --disable-component-update \
            --host-resolver-rules="MAP hello.example.com 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost" --no-proxy-server \
            --log-net-log="$work/$1.json" --dump-dom "https://hello.example.com:$port/" 2>"$work/$1.err" ||
            fail "chromium ended with $?: $(tail -n 5 "$work/$1.err")"
    }
    distrusted() { grep -qE '"net_error":-2[0-9][0-9]\b' "$work/$1.json"; } # LOG: a certificate's errors
    case $(browse stranger) in *"inside the enclave"*) fail "shown without the authority's root" ;; esac
    distrusted stranger || fail "the browser had nothing against an unknown authority"
    certutil -A -d "sql:$work/home/.pki/nssdb" -n authority -t C,, -i "$acme_root"
    contains "$(browse friend)" "Hello from C inside the enclave"
    ! distrusted friend || fail "an error of the certificate"
else
    echo "chromium and libnss3-tools are not installed: no browser was asked"
fi

# ---- it is renewed before its end, and where it cannot be, the enclave's own is back ------------------------------------------
acme_stop
acme_start 45 # another one, which knows no account of ours
push other hello-c
settings other '{"hostnames": ["other.example.com"]}'
await "a short certificate" named_by_authority other.example.com
short=$(shown other.example.com -noout -serial)
renewed() { named_by_authority other.example.com && [ "$(shown other.example.com -noout -serial)" != "$short" ]; }
await "the next one" renewed
acme_stop
of_the_enclave() { case $(issuer "$1") in *"Enclave OS"*) ;; *) false ;; esac; }
await "the end of the last one" of_the_enclave other.example.com
contains "$(told 'names["other.example.com"]["error"]')" "nobody listens there"
equal "$(told 'names["other.example.com"]["until"]')" None
equal "$(metric acme_names_failing)" 1
equal "$(shown shop.example.com -noout -serial)" "$serial" "the others'"

# ---- names that are nobody's, and no authority ------------------------------------------------------------------------------------
settings other '{}'
equal "$(told 'sorted(names)')" "['hello.example.com', 'shop.example.com']"
ctl acme rm "${to[@]}" >/dev/null
await "the enclave's own" of_the_enclave shop.example.com
equal "$(told acme)" None
contains "$(ctl acme show "${to[@]}")" '"directory":null'

# ---- docs/operate.md, "A name that browsers take", word for word: with another authority, which is at another port --------------------
. "$(dirname "$0")/page_lib.sh"
export PATH=$BUILD/bin:$PATH
here() {
    sed "s|https://acme.example/dir|$acme_directory|; s|roots.pem|$acme_tls|; s|localhost:8443|localhost:$port|
         s|curl|curl -s --cacert $acme_root --resolve shop.example.com:$port:127.0.0.1|; s|shop.example.com/|shop.example.com:$port/|"
}
acme_start
(
    cd "$work"
    begin "A name that browsers take" here
    step "enclavectl egress-ca set"
    step "enclavectl acme set"
    await "a certificate" named_by_authority shop.example.com
    step "enclavectl get /status"
    contains "$said" '"served":true'
    step "curl"
    step "enclavectl acme rm"
    finished
)
await "the enclave's own" of_the_enclave shop.example.com

# ---- what administrators may say -----------------------------------------------------------------------------------------------------
refused() { # TEXT ARGUMENT...
    ! ctl acme set "${@:2}" "${to[@]}" >"$work/why" 2>&1 || fail "accepted: ${*:2}"
    contains "$(cat "$work/why")" "$1"
}
refused "directory: it is no https:// URL" http://127.0.0.1/dir agree
refused "contact: one is no" "$acme_directory" agree "a b@example.com"
refused "say agree" "$acme_directory" no
