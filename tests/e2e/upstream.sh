# Servers elsewhere for outgoing requests, and a CA for them in $work/ca.pem. Sourced after lib.sh.
pki() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "$@" 2>/dev/null; }
leaf() { # NAME SAN DAYS: a certificate of the CA
    pki -keyout "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr"
    openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days "$3" \
        -extfile <(printf 'subjectAltName=%s' "$2") -out "$work/$1.pem" 2>/dev/null
}
upstream() { # CERTIFICATE [MAX_TLS]: its port in $up
    up=$(free_port)
    python3 "$(dirname "${BASH_SOURCE[0]}")/upstream.py" "$up" "$work/$1.pem" "$work/$1.key" ${2:-} 2>"$work/upstream.log" &
    await "the upstream" listening "$up"
}
allow() { printf '{"egress":[%s]}' "$2" >"$work/s"; ctl app settings "$1" "$work/s" "${to[@]}" >/dev/null; } # APP HOSTS
pki -x509 -keyout "$work/ca.key" -subj /CN=test-root -out "$work/ca.pem"
