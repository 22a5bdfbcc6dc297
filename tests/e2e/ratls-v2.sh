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

# ---- in every language; and who is in between, with a certificate of his own, is refused in each ----------------------
cache=${XDG_CACHE_HOME:-$HOME/.cache}/enclave-os # of scripts/progress.sh, which says more than is wanted here
cd "$SOURCE/bindings/go"
. ../../scripts/go.sh
GOTOOLCHAIN=local GOWORK=off GOPROXY=off "$(go_program)" build -buildvcs=false -o "$work/enclave-fetch" ./cmd/enclave-fetch
mkdir -p "$work/client/node_modules/enclave-verifier"
package=$SOURCE/bindings/javascript
cp -r "$("$package/test/packages.sh")"/{asn1js,@peculiar,@hpke,undici} "$work/client/node_modules/"
cp -r "$package"/{package.json,src} "$work/client/node_modules/enclave-verifier/"
cat >"$work/client/get.mjs" <<'JAVASCRIPT'
import { readFileSync } from "node:fs";
import { NotVerified, attestedFetch } from "enclave-verifier";
const [url, policy] = process.argv.slice(2);
try {
  const f = await attestedFetch(url, readFileSync(policy));
  console.log((await Promise.all(Array.from({ length: 3 }, async () => (await f("/hello/")).text()))).join(""));
  console.log(f.result.checks.filter((c) => c.outcome === "passed").map((c) => `${c.name}: ${c.reason}`).join("\n"));
  await f.close();
} catch (error) {
  if (!(error instanceof NotVerified)) throw error;
  console.log(error.result.failed.map((c) => `${c.name}: ${c.reason}`).join("\n"));
  process.exit(1);
}
JAVASCRIPT
mkdir -p "$work/python"
cp -r "$SOURCE/bindings/python/enclave_verifier" "$work/python/"
cp -L "$BUILD/lib/libenclave-verifier.so.0" "$work/python/enclave_verifier/libenclave-verifier.so"
in_c() { ctl verify "$1" --policy "$2"; }
in_go() { "$work/enclave-fetch" -policy "$2" "$1/hello/" 2>&1; }
in_javascript() { node "$work/client/get.mjs" "$1" "$2"; }
in_python() { PYTHONPATH=$work/python python3 -W error -m enclave_verifier verify "$1" --policy "$2"; }
contains "$(in_go "$url" "$policy")" Hello
contains "$(in_javascript "$url" "$policy")" "fresh evidence: a quote over this key, this challenge and this connection"
contains "$(in_python "$url" "$policy")" "ok    fresh evidence"
# a policy that pins nothing but the instance, which only the manifest tells there
python3 - "$policy" "$work/instance.json" <<'PYTHON'
import json, sys
policy = json.load(open(sys.argv[1]))
kept = {name: policy[name] for name in ("format", "mrenclave", "instance", "allow_simulation")}
json.dump(kept, open(sys.argv[2], "w"))
PYTHON
contains "$(in_c "$url" "$work/instance.json")" ": verified"
contains "$(in_go "$url" "$work/instance.json")" Hello
contains "$(in_javascript "$url" "$work/instance.json")" Hello
contains "$(in_python "$url" "$work/instance.json")" ": verified"
# Python's connections, and what each exports: none of another's
PYTHONPATH=$work/python python3 -W error - "$port" "$policy" <<'PYTHON' || fail "the Python library"
import socket, sys
from enclave_verifier import NotVerified, Policy, client_context, verify_socket
port, policy = int(sys.argv[1]), Policy.load(sys.argv[2])
def connect(context):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
with connect(client_context()) as tls:
    assert verify_socket(tls, policy).verdict == "verified"
shared = client_context()
with connect(shared) as one, connect(shared) as two:
    for tls in one, two:
        try:
            verify_socket(tls, policy)
            raise SystemExit("it is not known which connection exports what")
        except NotVerified as e:
            assert {c["name"] for c in e.result.failed} >= {"quote"}, e.result.failed
PYTHON

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/thief.key" -out "$work/thief.pem" -days 1 \
    -subj /CN=thief -addext "1.3.6.1.4.1.65230.2.1=DER:$(get /_enclave/manifest | grep -oP '"merkle_root": ?"\K[0-9a-f]+')" 2>/dev/null ||
    fail "no certificate for the one in between"
for how in relayed replayed none; do
    between=$(free_port)
    python3 "$SOURCE/tests/e2e/relay.py" "$between" "$port" "$work/thief.key" "$work/thief.pem" $how &
    await "one in between" listening_to "$between"
    for language in c go javascript python; do
        ! said=$(in_$language "https://127.0.0.1:$between" "$work/instance.json") || fail "$language believes one in between ($how): $said"
        case $how in none) contains "$said" quote ;; *) contains "$said" "is not that of this certificate's key, the challenge and this connection" ;; esac
    done
    kill $!
done

# ---- version 1 is what there is without a word; the data is the same --------------------------------------------------
first=$(ctl verify "$url" "${trusted[@]}" | awk '$2 == "configuration" {print $4}')
stop
start --workers 2
contains "$(ctl verify "$url" "${trusted[@]}")" "ok    dice evidence"
equal "$(ctl verify "$url" "${trusted[@]}" | awk '$2 == "configuration" {print $4}')" "$first" "the configuration root"
