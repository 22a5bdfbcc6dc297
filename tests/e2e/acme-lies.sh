#!/usr/bin/env bash
# A directory of ACME that is the host's, and lies: what it says leads nowhere else, no certificate that is not the name's and its
# key's is shown, the name stays served with the enclave's own, and people are told.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/acme_lib.sh"
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout "$work/liar.key" -out "$acme_root" -days 2 -subj /CN=Liar 2>/dev/null
python3 "$(dirname "$0")/acme_liar.py" "$acme_port" "$acme_tls" "$work/acme-tls.key" "$acme_root" "$work/liar.key" 2>"$work/liar.log" &
await "the liar" listening_to "$acme_port"

check start --workers 2
push shop echo
settings shop '{"hostnames": ["shop.example.com"]}'
liar() { ctl acme set "https://127.0.0.1:$acme_port/$1/dir" agree "${to[@]}" >/dev/null; } # LIE
failed() { case $(told "names['shop.example.com'].get('error')") in *"$1"*) ;; *) false ;; esac; }
lies() { # LIE TEXT: what is told of it
    liar "$1"
    await "what is wrong with '$1'" failed "$2"
    contains "$(issuer shop.example.com)" "Enclave OS"
    equal "$(metric acme_certificates)" 0
}
lies honest "there is no CA bundle of outgoing requests"
openssl req -x509 $key -keyout "$work/x.key" -out "$work/stranger.pem" -days 2 -subj /CN=x 2>/dev/null
ctl egress-ca set "$work/stranger.pem" "${to[@]}" >/dev/null
await "that it is not believed" failed "its certificate is not believed"
ctl egress-ca set "$acme_tls" "${to[@]}" >/dev/null
await "a certificate of who is believed, and whom nobody else would" named_by_authority shop.example.com
ctl acme rm "${to[@]}" >/dev/null

lies redirect "the directory: status 302"
lies long "the directory: no answer is so long"
lies other-host "newOrder: it is no https:// URL of the directory's own host"
lies plain "newAccount: it is no https:// URL of the directory's own host"
lies another-key "the certificate that came: it is of another key"
lies another-name "the certificate that came: it is for another name"
lies long-chain "the certificate that came: there is none, or too many"
lies limited "the order: rateLimited: come back"
failures=$(metric acme_failures_total)
lies never "the order: it has not come in 64 requests"
equal "$(metric acme_failures_total)" $((failures + 1))
equal "$(metric acme_names_failing)" 1

# one that is under way ends with the settings that it was for
liar never
under_way() { [ "$(told "names['shop.example.com']['under_way']")" = True ]; }
await "an order" under_way
liar honest
await "what the next one gives" named_by_authority shop.example.com
check stop # with nothing under way
check start --workers 2
named_by_authority shop.example.com || fail "it was not kept"
