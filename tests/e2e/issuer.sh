#!/usr/bin/env bash
# An operator's intermediate CA: given to an enclave that runs, it issues the certificates from then on, so that who trusts the
# operator's root alone believes the server and its apps' names; it is attested, an entry of the history, kept sealed over a
# restart, and gone again when it is removed. What a quote proves is the same under either.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/page_lib.sh"
export PATH=$BUILD/bin:$PATH
cd "$work"

# the operator's: a root, and an intermediate CA below it
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout root.key -out root.pem -days 9 -subj "/O=Operator/CN=Root" 2>/dev/null
openssl req $key -keyout issuer.key -out issuer.csr -subj "/O=Operator/CN=Issuer of enclaves" 2>/dev/null
signed() { # FILE EXTENSIONS: by the root
    openssl x509 -req -in issuer.csr -CA root.pem -CAkey root.key -days 8 -out "$1" -extfile <(printf '%b' "$2") 2>/dev/null
}
signed issuer.pem 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
signed long.pem 'basicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign,cRLSign\n'
openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out another.key 2>/dev/null
openssl ec -in issuer.key -out sec1.key 2>/dev/null

trusts() { # ROOT.pem [NAME]: who trusts these alone believes the server
    local name=${2:-localhost}
    curl -s --max-time "$hang" --cacert "$1" --resolve "$name:$port:127.0.0.1" "https://$name:$port/healthz" -o "$work/health"
}
of_leaf() { openssl s_client -connect "127.0.0.1:$port" ${2:+-servername "$2"} </dev/null 2>/dev/null | openssl x509 -noout "-$1" -nameopt RFC2253; }
leaf() { # LABEL: of the manifest, in hex
    get /_enclave/manifest | python3 -c 'import json, sys
print(*[l["value"] for l in json.load(sys.stdin)["leaves"] if l["label"] == sys.argv[1]])' "$1"
}
hash_of() { sha256sum | cut -c1-64; }
refused() { # CERTIFICATE KEY TEXT
    ! ctl issuer set "$1" "$2" "${to[@]}" >"$work/why" 2>&1 || fail "accepted: $1 $2"
    contains "$(cat "$work/why")" "$3"
}

check start
push shop hello-c
echo '{"hostnames": ["shop.example.com"]}' >shop.json
ctl app settings shop shop.json "${to[@]}" >/dev/null
ctl ca "https://localhost:$port" --out own.pem --policy "$policy" >/dev/null
check trusts own.pem
! trusts root.pem || fail "believed by who does not know its CA"
first=$(leaf ca-certificate)
refused long.pem issuer.key "certificate: its path length is not 0"
refused root.pem root.key "certificate: its path length is not 0"
refused issuer.pem another.key "key: it is not the certificate's"
refused issuer.pem sec1.key "key: it is not one block called PRIVATE KEY"
equal "$(leaf ca-certificate)" "$first" "after what was refused"
contains "$(ctl issuer show "${to[@]}")" '"given":false'

# ---- docs/operate.md, "A CA of your own", word for word ------------------------------------------------------------------
here() { sed "s|localhost:8443|localhost:$port|g; s|curl|& -s|; s|/hello/|/shop/|"; }
begin "A CA of your own" here
step "enclavectl issuer set"
contains "$said" '"given":true'
step "curl"
contains "$said" "inside the enclave"
! ctl verify "https://localhost:$port" --policy "$policy" >verdict || fail "a policy that pins another CA accepts it"
contains "$(cat verdict)" "not under the pinned issuer"
step "enclavectl policy from"
grep -q '"instance"' given.json || fail "the policy does not say which instance: $(cat given.json)"
step "enclavectl verify"
step "enclavectl issuer show"
contains "$said" '"given":true'
equal "$(of_leaf issuer)" "issuer=CN=Issuer of enclaves,O=Operator"
equal "$(of_leaf issuer shop.example.com)" "issuer=CN=Issuer of enclaves,O=Operator"
check trusts root.pem
check trusts root.pem shop.example.com
! trusts own.pem || fail "the enclave's own CA is believed to have issued it"
equal "$(leaf ca-certificate)" "$(openssl x509 -in issuer.pem -outform DER | od -An -tx1 -v | tr -d ' \n')"
equal "$(leaf ca-key)" "$(openssl ec -in issuer.key -outform DER 2>/dev/null | hash_of)"
ctl log "https://localhost:$port" --policy given.json >history
contains "$(cat history)" "issuer"

# ---- kept, and nowhere to be read ------------------------------------------------------------------------------------------
check stop
secret=$(openssl pkcs8 -topk8 -nocrypt -in issuer.key | sed -n 2p)
! grep -rqF "$secret" data || fail "the key is in the store as it is"
check start
equal "$(of_leaf issuer)" "issuer=CN=Issuer of enclaves,O=Operator" "after a restart"
check trusts root.pem

step "enclavectl issuer rm"
finished
check ctl verify "https://localhost:$port" --policy "$policy" >verdict
equal "$(leaf ca-certificate)" "$first" "once it is removed"
check trusts own.pem
! trusts root.pem || fail "the operator's CA is believed to have issued it"
check stop
check start
check trusts own.pem
check stop
