#!/usr/bin/env bash
# The JavaScript verifier: installed as npm would, it says of a live server what enclavectl says, and fetches from it over
# connections that are judged; of strangers and of hostile servers it takes nothing. The documents' examples run as they stand.
. "$(dirname "$0")/lib.sh"

# The package as it would be published, into a project of somebody's; what it needs is what its lock file pins.
package=$SOURCE/bindings/javascript
mkdir -p "$work/client/node_modules/enclave-verifier"
cp -r "$("$package/test/packages.sh")"/{asn1js,@peculiar,@hpke,undici} "$work/client/node_modules/"
cp -r "$package" "$work/source"
(cd "$work/source" && npm pack --silent --pack-destination "$work" >/dev/null)
tar -xzf "$work"/enclave-verifier-*.tgz -C "$work/client/node_modules/enclave-verifier" --strip-components 1
cp "$(dirname "$0")/attested_fetch.mjs" "$work/client/"
client() { node "$work/client/attested_fetch.mjs" "$@" || fail "the client: $*"; }

collateral_port=$(free_port)
check start --collateral-listen "127.0.0.1:$collateral_port"
push hello hello-c
push echo echo
first_use
pki=$work/sim/quote-simulation

# the same verdict, and each check as enclavectl has it
alike() { # POLICY OPTION-OF-ENCLAVECTL...
    ctl verify "$url" --policy "$1" --json "${@:2}" >"$work/ctl.json" || true
    client alike "$url" "$1" "$work/ctl.json" "${collateral:-}"
}
collateral=$pki
ctl policy from "$url" --allow-simulation --root "$pki/root.pem" --collateral "$pki" --require-collateral --only-apps \
    --out "$work/all.json" >/dev/null 2>&1 || fail "no policy was written"
contains "$(cat "$work/all.json")" '"log"'
contains "$(cat "$work/all.json")" '"administrators"'
alike "$policy" --collateral "$pki"
alike "$work/all.json" --collateral "$pki" --fresh
sed 's/"egress_ca": null/"egress_ca": "'"$(printf '00%.0s' $(seq 32))"'"/; s/"min_generation": [0-9]*/"min_generation": 99/' \
    "$work/all.json" >"$work/bad.json"
! cmp -s "$work/all.json" "$work/bad.json" || fail "nothing is wrong in $(cat "$work/bad.json")"
alike "$work/bad.json" --collateral "$pki"
collateral=
alike "$policy"
sed 's/"allow_simulation": true/"allow_simulation": false/' "$policy" >"$work/hardware.json"
alike "$work/hardware.json"

client pccs "$url" "$policy" "http://127.0.0.1:$collateral_port"

# a fetch: many connections, each judged; bodies both ways; a change of the server's configuration in between
client fetch "$url" "$policy" "$pki"
mkfifo "$work/steps"
node "$work/client/attested_fetch.mjs" change "$url" "$policy" <"$work/steps" >"$work/said" 2>&1 &
changing=$!
exec {steps}>"$work/steps"
await "the first answer" grep -q '^generation' "$work/said"
push other hello-c
echo go >&"$steps"
exec {steps}>&-
wait $changing || fail "over a change: $(cat "$work/said")"
equal "$(grep -c '^generation' "$work/said")" 2

# the documents' examples
example() { # DOCUMENT: its first module that fetches
    awk '/^```js$/ {inside = 1; text = ""; next} /^```$/ && inside {if (text ~ /attestedFetch/) {printf "%s", text; exit} inside = 0}
         inside {text = text $0 "\n"}' "$1" | sed "s|https://enclave.example:8443|$url|" >"$work/client/example.mjs"
    contains "$(cat "$work/client/example.mjs")" "$url"
    (cd "$work/client" && cp "$policy" policy.json && node example.mjs) || fail "the example of $1"
}
contains "$(example "$package/README.md")" "verified Hello from C inside the enclave"
contains "$(example "$SOURCE/docs/verify.md")" "verified 200"

# a stranger runs the very image: genuine, but not ours; and who terminates TLS in between shows another certificate
openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -outform DER -out "$work/leaf.der"
check stop
mv "$work/data" "$work/ours"
cp "$policy" "$work/ours.json"
check start
push hello hello-c
client refused "$url" "$work/ours.json" "certificate issuer, instance"
contains "$(sed "s|^|stranger: |" "$work/server.log")" ready
client genuine "$url" "$work/ours.json"
check stop

# hostile ones: a certificate with our quote under another key; and answers that are none
value_of() { # OID: of the leaf's extension, in hexadecimal
    local at
    at=$(openssl asn1parse -inform DER -in "$work/leaf.der" | grep -A1 ":$1\$" | tail -n 1)
    tail -c "+$(($(cut -d: -f1 <<<"$at") + $(grep -oP 'hl=\K[0-9]' <<<"$at") + 1))" "$work/leaf.der" |
        head -c "$(grep -oP ' l= *\K[0-9]+' <<<"$at")" | od -An -v -tx1 | tr -d ' \n'
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/thief.key" -out "$work/thief.pem" -days 1 \
    -subj /CN=thief -addext "1.2.840.113741.1.13.1.0=DER:$(value_of 1.2.840.113741.1.13.1.0)" \
    -addext "1.3.6.1.4.1.65230.1.1=DER:$(value_of 1.3.6.1.4.1.65230.1.1)" \
    -addext "1.3.6.1.4.1.65230.4.2=DER:$(value_of 1.3.6.1.4.1.65230.4.2)" 2>/dev/null || fail "no certificate for the thief"
client hostile "$work/ours.json" "$work/thief.key" "$work/thief.pem"
