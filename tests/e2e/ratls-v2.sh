#!/usr/bin/env bash
# serve --ratls v2 (docs/attestation.md): no quote is in the certificate, what it says stands under the numbers of version
# 2, and it is judged by evidence behind the handshake, without which nobody is believed.
. "$(dirname "$0")/lib.sh"

start --workers 2 --ratls v2
root=$work/sim/quote-simulation/root.pem
trusted=(--policy "$policy" --root "$root")
first_use
push hello hello-c
openssl s_client -connect "127.0.0.1:$port" -showcerts </dev/null 2>/dev/null | openssl x509 -outform DER -out "$work/leaf"
openssl x509 -inform DER -in "$work/leaf" -noout -text >"$work/text"

# ---- what the certificate says, and what not --------------------------------------------------------------------------
python3 - "$work/leaf" "$(get /_enclave/manifest)" "$BUILD/apps/hello-c.wasm" <<'PYTHON' || fail "$(cat "$work/text")"
import hashlib, json, sys
leaf, manifest, code = open(sys.argv[1], "rb").read(), json.loads(sys.argv[2]), open(sys.argv[3], "rb").read()
arc = bytes.fromhex("2b0601040183fd4e")  # 1.3.6.1.4.1.65230
def extension(*numbers):
    oid = arc + bytes(numbers)
    at = leaf.find(bytes([6, len(oid)]) + oid)
    if at < 0:
        return None
    at += 2 + len(oid)
    assert leaf[at] == 4
    return leaf[at + 2:at + 2 + leaf[at + 1]]
sha256 = lambda data: hashlib.sha256(data).digest()
assert extension(2, 1).hex() == manifest["merkle_root"]
assert extension(2, 4) == sha256(b"hello" + sha256(code))
assert len(extension(1, 1)) == 32 and extension(1, 1).hex() != manifest["merkle_root"]
assert extension(2, 2) is None and extension(2, 3) is None and extension(2, 5) is None
assert extension(4, 1) is None and extension(4, 2) is None and len(extension(4, 3)) == 40
for quote in "2a864886f84d010d0100", "678105050409":
    assert bytes.fromhex(quote) not in leaf
assert len(leaf) < 1500, len(leaf)
PYTHON

# ---- who judges it: every command asks by itself ----------------------------------------------------------------------
ctl verify "$url" "${trusted[@]}" --json >"$work/verdict" || fail "$(cat "$work/verdict")"
python3 - "$work/verdict" <<'PYTHON' || fail "$(cat "$work/verdict")"
import json, sys
result = json.load(open(sys.argv[1]))
outcomes = {check["name"]: check["outcome"] for check in result["checks"]}
assert result["verdict"] == "verified" and result["mrenclave"] and result["generation"] and result["instance"]
for name in "quote", "report data", "fresh evidence", "configuration root", "manifest", "log head":
    assert outcomes[name] == "passed", (name, outcomes[name])
assert outcomes["dice evidence"] == "not checked"
PYTHON
judged() { "$BUILD/bin/evidence_client" "127.0.0.1:$port" "$root" "$1"; }
contains "$(judged good)" "passed: a quote over this key, this challenge and this connection"
for how in relayed replayed other none; do
    contains "$(judged $how)" refused
done
equal "$(judged claims | head -n 1)" bound
! "$BUILD/bin/leaf_client" "$work/leaf" "$root" good | grep -q genuine || fail "a certificate without a quote is believed"
equal "$(get /hello/ -o /dev/null -w '%{http_code}')" 200

# ---- version 1 is what there is without a word; the data is the same --------------------------------------------------
first=$(ctl verify "$url" "${trusted[@]}" | awk '$2 == "configuration" {print $4}')
stop
start --workers 2
contains "$(ctl verify "$url" "${trusted[@]}")" "ok    dice evidence"
equal "$(ctl verify "$url" "${trusted[@]}" | awk '$2 == "configuration" {print $4}')" "$first" "the configuration root"
