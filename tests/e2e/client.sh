#!/usr/bin/env bash
# Clients are asked for a certificate only where an app or the operator wants it, and told which issuers will do.
# A client that shows an RA-TLS certificate is judged inside the enclave, and the app is told who it is; nobody can claim
# to be someone, and a client without a certificate, or with one that does not hold, is served all the same.
. "$(dirname "$0")/lib.sh"
# What a client is asked for: nothing, or a certificate by one of two issuers
asked() {
    openssl s_client -connect "127.0.0.1:$port" -tls1_3 -msg </dev/null >"$work/asked" 2>/dev/null || true
    if grep -q CertificateRequest "$work/asked"; then
        sed -n '/^Acceptable client certificate CA names/,/^Requested Sig/p' "$work/asked" | sed '1d;$d' | tr -d ' ' | tr '\n' ';'
    else
        echo nothing
    fi
}
issuers="O=EnclaveOS,CN=EnclaveOSCA;CN=SGXRA-TLS;"
settings() { # APP JSON
    echo "$2" >"$work/settings.json"
    ctl app settings "$1" "$work/settings.json" "${to[@]}" >/dev/null
}

check start
push echo echo
push other hello-c
equal "$(asked)" nothing "by default"
for kind in good hardware stolen; do "$BUILD/bin/client_certificate" $kind >"$work/$kind.pem" || fail "no certificate"; done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/plain.key" -out "$work/plain.pem" \
    -days 1 -subj /CN=anyone 2>/dev/null
cat "$work/plain.key" >>"$work/plain.pem"
equal "$(get /echo/client --cert "$work/good.pem")" nobody "who was not asked"
! settings other '{"peers": "require"}' 2>"$work/why" || fail "peers: require"
contains "$(cat "$work/why")" 'peers: the only value is "request"'
settings other '{"peers": "request"}'
equal "$(asked)" "$issuers" "while another app asks"
settings echo '{"peers": "request"}'
ctl app rm other "${to[@]}" >/dev/null
equal "$(asked)" "$issuers" "while the app asks"
equal "$(get /echo/client)" nobody "without a certificate"
who=$(get /echo/client --cert "$work/good.pem")
contains "$who" "mrenclave=$(printf 'ab%.0s' $(seq 32));mrsigner=$(printf 'cd%.0s' $(seq 32));prod-id=7;svn=3;debug=1;simulated=1"
equal "$(get /echo/client -H 'X-Enclave-Client: mrenclave=00')" nobody "who only claims to be someone"
equal "$(get /echo/client --cert "$work/good.pem" -H 'X-Enclave-Client: mrenclave=00')" "$who" "both"
for kind in hardware stolen plain; do equal "$(get /echo/client --cert "$work/$kind.pem")" nobody "a certificate that is $kind"; done
grep -q "client's certificate is not verified: report data" "$work/server.log" || fail "the reason is not in the log"
equal "$(get /echo/ -d "still here")" "still here"
check stop
check start
equal "$(asked)" "$issuers" "after a restart"
settings echo '{}'
equal "$(asked)" nothing "when nobody asks any more"
check stop
check start --request-client-certificates
equal "$(asked)" "$issuers" "by the operator's option"
equal "$(get /echo/client --cert "$work/good.pem")" "$who" "by the operator's option"
check stop
