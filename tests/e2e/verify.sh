#!/usr/bin/env bash
# enclavectl verify against a live server, with collateral from the server, and another verifier fetching the same.
. "$(dirname "$0")/lib.sh"

collateral_port=$(free_port)
pccs=http://127.0.0.1:$collateral_port
check start --collateral-listen "127.0.0.1:$collateral_port"
pki=$work/sim/quote-simulation
api=/sgx/certification/v4
push hello hello-c
hash=$(sha256sum "$BUILD/apps/hello-c.wasm" | cut -d' ' -f1)
mrenclave=$(ctl measure "$BUILD/enclave_os.signed")
rooted=(--allow-simulation --root "$pki/root.pem" --require-collateral)
trusted=("${rooted[@]}" --pccs "$pccs")

! grep -q "clients will refuse" "$work/server.log" || fail "the enclave does not think much of its certificate"

# everything that can be pinned is, and nothing is left unchecked but what has no value to pin
first_use
seen=$(ctl verify "$url" --policy "$policy")
mrsigner=$(awk '$2 == "mrsigner" {print $3}' <<<"$seen")
root=$(awk '$2 == "configuration" {print $4}' <<<"$seen" | tr -d ,)
openssl s_client -connect "127.0.0.1:$port" -showcerts </dev/null 2>/dev/null |
    awk '/BEGIN CERT/ {n++} n == 2 {print} /END CERT/ && n == 2 {exit}' >"$work/issuer.pem"
mkdir "$work/kept"
ctl policy from "$url" "${trusted[@]}" --only-apps --out "$work/all.json" >/dev/null 2>&1 || fail "no policy was written"
contains "$(cat "$work/all.json")" '"collateral": {"required": true, "accept_tcb": [], "min_evaluation_number": 1}'
contains "$(cat "$work/all.json")" '"roots": "-----BEGIN CERTIFICATE-----'
ctl verify "$url" "${trusted[@]}" --mrenclave "$(printf '00%.0s' $(seq 32))" --mrenclave "$mrenclave" \
    --mrsigner "$mrsigner" --prod-id 1 --min-svn 1 --issuer "$work/issuer.pem" --app "hello=$hash" \
    --extension "1.3.6.1.4.1.65230.1.1=$root" --policy "$work/all.json" --fresh --save-collateral "$work/kept" >"$work/all" ||
    fail "$(cat "$work/all")"
! grep -v '^ok  ' "$work/all" | grep -v '^https' | grep -v '^--    \(app \(publisher\|identity\)\|log \(history\|witnesses\)\|hand-over\) ' || fail "some checks did not pass"
equal "$(grep -cE '^(ok|--)  ' "$work/all")" 58 "number of checks"
contains "$(cat "$work/all")" "verified, as a SIMULATION"
grep -q '^ok    tcb status  *UpToDate' "$work/all" || fail "no TCB status"

# what was kept serves offline
offline=(--policy "$policy" --root "$pki/root.pem")
ctl verify "$url" "${offline[@]}" --collateral "$work/kept" >/dev/null || fail "offline"
ctl verify "$url" "${offline[@]}" --collateral "$pki" >/dev/null || fail "the PKI's own folder"
sed 's/"min_evaluation_number": 1/"min_evaluation_number": 2/' "$work/all.json" >"$work/fresher.json"
! ctl verify "$url" --policy "$work/fresher.json" --collateral "$work/kept" >"$work/refused" || fail "collateral that is not fresh enough"
equal "$(grep '^FAIL' "$work/refused" | cut -c7-34 | sed 's/ *$//')" "collateral freshness"

# each way of being wrong: the one check that fails, and only that
refuse() {
    local name=$1
    shift
    ! ctl verify "$url" --allow-simulation "$@" >"$work/refused" 2>&1 || fail "accepted: $*"
    equal "$(grep '^FAIL' "$work/refused" | cut -c7-34 | sed 's/ *$//')" "$name" "$*"
}
zeros=$(printf '00%.0s' $(seq 32))
refuse mrenclave --mrenclave "$zeros"
refuse mrsigner --mrsigner "$zeros"
refuse "product id" --prod-id 2
refuse "security version" --min-svn 2
refuse "certificate issuer" --issuer "$pki/root.pem"
refuse root --root "$work/issuer.pem"
refuse extension --extension 1.3.6.1.4.1.65230.2.4=00
refuse app --app "hello=$zeros"
refuse app --app "absent=$hash"
refuse collateral --require-collateral
cp -r "$work/kept" "$work/half" && rm "$work/half/pck.crl"
refuse collateral --collateral "$work/half"
cp -r "$work/kept" "$work/bent" && sed -i 's/"svn":1/"svn":0/' "$work/bent/tcb-info.json"
refuse "tcb info" --collateral "$work/bent"
! ctl verify "$url" >"$work/refused" || fail "a simulation was accepted by default"
equal "$(grep '^FAIL' "$work/refused" | cut -c7-34 | sed 's/ *$//' | tr '\n' ' ')" "root debug "

# no verdict without what was asked for
! why=$(ctl verify "$url" "${rooted[@]}" --pccs "http://127.0.0.1:1" 2>&1) || fail "verified without a PCCS"
contains "$why" "cannot connect"
! why=$(ctl verify "$url" --allow-simulation --collateral "$work" 2>&1) || fail "verified with an empty folder"
contains "$why" "no collateral there"
! ctl verify "$url" --accept-tcb Revoked >/dev/null 2>&1 || fail "Revoked can be accepted"

# a PCCS behind TLS, whose answers come in chunks: its certificate counts, unless a CA is named
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/pccs.key" -out "$work/pccs.pem" -days 2 \
    -subj /CN=pccs -addext subjectAltName=IP:127.0.0.1 2>/dev/null
tls_port=$(free_port)
python3 "$(dirname "$0")/pccs_tls.py" "$tls_port" "$pccs" "$work/pccs.pem" "$work/pccs.key" &
proxy=$!
trap 'kill $proxy 2>/dev/null || true; cleanup' EXIT
await "the PCCS over TLS" listening "$tls_port"
ctl verify "$url" --policy "$policy" "${rooted[@]}" --pccs "https://127.0.0.1:$tls_port$api" --pccs-ca "$work/pccs.pem" >/dev/null || fail "a PCCS over TLS"
! why=$(ctl verify "$url" "${rooted[@]}" --pccs "https://127.0.0.1:$tls_port" 2>&1) || fail "any PCCS was believed"
contains "$why" "self-signed certificate"
! why=$(ctl verify "$url" "${rooted[@]}" --pccs "https://localhost:$tls_port" --pccs-ca "$work/pccs.pem" 2>&1) || fail "another name"
contains "$why" "hostname mismatch"
kill $proxy

# an admin's requests are judged by the same options, before anything is sent
! ctl app list "${to[@]}" "${trusted[@]}" --min-svn 2 >/dev/null 2>&1 || fail "app list trusts anyone"
ctl app list "${to[@]}" "${trusted[@]}" --app "hello=$hash" >/dev/null || fail "app list"

# the collateral's server: what PCS API version 4 has, and nothing else
fetch() { curl -s --max-time $hang -o /dev/null -w '%{http_code}' "$pccs$1" "${@:2}"; }
equal "$(fetch "$api/tcb?fmspc=53494D000001")" 200
equal "$(fetch "$api/tcb?update=standard&fmspc=53494d000001")" 200
equal "$(fetch "$api/tcb?fmspc=000000000000")" 404
equal "$(fetch "$api/tcb")" 404
equal "$(fetch "$api/pckcrl?ca=platform&encoding=der")" 200
equal "$(fetch "$api/pckcrl?ca=processor&encoding=der")" 404
equal "$(fetch "$api/../../../root.key")" 404
equal "$(fetch "$api/rootcacrl" --path-as-is)" 200
equal "$(fetch / -X POST)" 400
equal "$(curl -s "$pccs$api/rootcacrl")" "$(od -An -v -tx1 "$pki/root.crl" | tr -d ' \n')" "root CRL in hexadecimal"
curl -s "$pccs$api/pckcrl?ca=platform" | openssl crl -noout -issuer | grep -q SIMULATION || fail "CRL in PEM"
for _ in $(seq 20); do # clients that say nothing take no place for long
    exec {slow}<>"/dev/tcp/127.0.0.1/$collateral_port"
done
equal "$(curl -s --max-time $hang -o /dev/null -w '%{http_code}' "$pccs$api/qe/identity")" 200 "behind idle connections"

# a verifier that we did not write, pinned to the simulation's root, fetches from there: UpToDate with debug enclaves
# allowed; by its default, refused for DEBUG
interop=$("$SOURCE/tests/interop/build.sh")/interop
openssl x509 -in "$pki/root.pem" -outform DER -out "$work/root.der"
openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -outform DER -out "$work/leaf.der"
at=$(openssl asn1parse -inform DER -in "$work/leaf.der" | grep -A1 ':1.2.840.113741.1.13.1.0' | tail -n 1)
head_size=$(grep -oP 'hl=\K[0-9]' <<<"$at")
tail -c "+$(($(cut -d: -f1 <<<"$at") + head_size + 1))" "$work/leaf.der" | head -c "$(grep -oP ' l= *\K[0-9]+' <<<"$at")" >"$work/quote"
equal "$("$interop" fetch "$pccs" "$work/quote" "$work/root.der" debug)" "fetched	UpToDate	accepted"
equal "$("$interop" fetch "$pccs" "$work/quote" "$work/root.der" 2>"$work/reason")" "fetched	refused	refused"
contains "$(cat "$work/reason")" "Debug mode is enabled"
check stop

# a host whose PCK chain does not hold: the enclave itself foresees that clients refuse, and so they do
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 100 \
    -subj "/CN=Enclave OS SIMULATION Root CA - not hardware/O=Enclave OS simulation" -out "$work/false-root.pem" 2>/dev/null
awk '/BEGIN CERT/ {n++} n < 3' "$pki/pck-chain.pem" >"$work/chain" && cat "$work/false-root.pem" >>"$work/chain"
cp "$work/chain" "$pki/pck-chain.pem"
check start
grep -q "clients will refuse this certificate: pck chain: " "$work/server.log" || fail "nothing was foreseen"
refuse "pck chain"
check stop
