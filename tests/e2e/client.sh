#!/usr/bin/env bash
# A client that shows an RA-TLS certificate is judged inside the enclave, and the app is told who it is; nobody can claim
# to be someone, and a client without a certificate, or with one that does not hold, is served all the same.
. "$(dirname "$0")/lib.sh"
check start
push echo echo
for kind in good hardware stolen; do "$BUILD/bin/client_certificate" $kind >"$work/$kind.pem" || fail "no certificate"; done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/plain.key" -out "$work/plain.pem" \
    -days 1 -subj /CN=anyone 2>/dev/null
cat "$work/plain.key" >>"$work/plain.pem"
equal "$(get /echo/client)" nobody "without a certificate"
who=$(get /echo/client --cert "$work/good.pem")
contains "$who" "mrenclave=$(printf 'ab%.0s' $(seq 32));mrsigner=$(printf 'cd%.0s' $(seq 32));prod-id=7;svn=3;debug=1;simulated=1"
equal "$(get /echo/client -H 'X-Enclave-Client: mrenclave=00')" nobody "who only claims to be someone"
equal "$(get /echo/client --cert "$work/good.pem" -H 'X-Enclave-Client: mrenclave=00')" "$who" "both"
for kind in hardware stolen plain; do equal "$(get /echo/client --cert "$work/$kind.pem")" nobody "a certificate that is $kind"; done
grep -q "client's certificate is not verified: report data" "$work/server.log" || fail "the reason is not in the log"
equal "$(get /echo/ -d "still here")" "still here"
check stop
