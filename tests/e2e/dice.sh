#!/usr/bin/env bash
# DICE evidence in the certificate (docs/attestation.md): the leaf of a live server is judged alone, forged ones are
# refused, and other makers find in it what they look for.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_quotes
export LIE=$work/lie

start --workers 2
root=$work/sim/quote-simulation/root.pem
contains "$(ctl verify "$url" --policy "$policy" --root "$root")" \
    "ok    dice evidence                binds the key, both times and all other extensions"
take_leaf() { # FILE
    openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -outform DER -out "$1"
}
judged() { "$BUILD/bin/leaf_client" "$work/leaf" "$root" "$1"; }

# ---- a certificate, and nothing else ----------------------------------------------------------------------------------
take_leaf "$work/leaf"
contains "$(judged good)" "dice evidence: passed: binds the key, both times and all other extensions"
contains "$(judged good)" "vouched for by the evidence: extensions are bound"
contains "$(judged good)" "genuine"
forged() { # HOW WHY
    contains "$(judged "$1")" "dice evidence: failed: its claims are about $2"
    contains "$(judged "$1")" "extensions: not bound"
    contains "$(judged "$1")" "refused"
}
forged later "another NotAfter"
forged other "another configuration root"
contains "$(judged stripped)" "dice evidence: not checked: the certificate has none"
contains "$(judged stripped)" "extensions: not bound" # so that nothing is won by that

# ---- by another's hand ------------------------------------------------------------------------------------------------
equal "$(judged foreign)" "pubkey-hash 36
merkle-root 32
generation 8
not-before 8
not-after 8
extensions 32"

# ---- what it says of a change is the change's -------------------------------------------------------------------------
first=$(judged good | grep '^configuration root')
push hello hello-c
take_leaf "$work/leaf"
contains "$(judged good)" "extensions are bound"
[ "$(judged good | grep '^configuration root')" != "$first" ] || fail "another configuration has the same root"
equal "$(judged foreign | wc -l)" 6
contains "$(ctl verify "$url" --policy "$policy" --root "$root")" "ok    dice evidence"

# ---- a host that makes no second quote changes nothing ----------------------------------------------------------------
echo refuse >"$LIE"
! ctl app push again "$BUILD/apps/hello-c.wasm" "${to[@]}" >"$work/said" 2>&1 || fail "pushed without a quote"
rm "$LIE"
take_leaf "$work/again"
equal "$(openssl x509 -inform DER -in "$work/again" -noout -fingerprint)" \
    "$(openssl x509 -inform DER -in "$work/leaf" -noout -fingerprint)" "the certificate"

echo "the leaf has $(stat -c %s "$work/leaf") bytes, $(python3 -c '
import sys, zlib
print(len(zlib.compress(open(sys.argv[1], "rb").read())))' "$work/leaf") compressed"
