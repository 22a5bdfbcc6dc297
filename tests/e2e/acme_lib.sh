# A public certificate authority for tests: Pebble, which validates names as an authority does, where its DNS server says that
# they are: on this machine, at the port of the server. Sourced after lib.sh.
#
#     acme_start [SECONDS]       listens at $acme_directory, believed by $acme_tls; its certificates hold so long
#     acme_root                  $acme_root: what clients of the names trust. It is another one at each start
#     acme_stop
acme_port=$(free_port)
acme_management=$(free_port)
acme_dns=$(free_port)
acme_directory=https://127.0.0.1:$acme_port/dir
acme_tls=$work/acme-tls.pem # of the directory's own connections
acme_root=$work/acme-root.pem
acme_pid=
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/acme-tls.key" -out "$acme_tls" -days 2 \
    -subj /CN=directory -addext subjectAltName=IP:127.0.0.1 2>/dev/null

acme_start() {
    acme_programs=$("$SOURCE/tests/acme/build.sh") # pebble, pebble-challtestsrv
    [ -n "${acme_dns_pid:-}" ] || {
        "$acme_programs/pebble-challtestsrv" -dnsserver "127.0.0.1:$acme_dns" -defaultIPv4 127.0.0.1 -defaultIPv6 "" -http01 "" \
            -https01 "" -tlsalpn01 "" -doh "" -management "127.0.0.1:$(free_port)" >"$work/acme-dns.log" 2>&1 &
        acme_dns_pid=$!
    }
    cat >"$work/acme.json" <<J
{"pebble": {"listenAddress": "127.0.0.1:$acme_port", "managementListenAddress": "127.0.0.1:$acme_management",
            "certificate": "$acme_tls", "privateKey": "$work/acme-tls.key", "httpPort": 1, "tlsPort": $port,
            "ocspResponderURL": "", "externalAccountBindingRequired": false, "retryAfter": {"authz": 1, "order": 1},
            "keyAlgorithm": "ecdsa", "profiles": {"default": {"description": "", "validityPeriod": ${1:-7776000}}}}}
J
    PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=10 "$acme_programs/pebble" -strict -config "$work/acme.json" \
        -dnsserver "127.0.0.1:$acme_dns" >"$work/acme.log" 2>&1 &
    acme_pid=$!
    await "Pebble" listening_to "$acme_port"
    await "Pebble's management" listening_to "$acme_management"
    curl -s --cacert "$acme_tls" "https://127.0.0.1:$acme_management/roots/0" >"$acme_root" || fail "no root: $(cat "$work/acme.log")"
}
acme_stop() {
    kill "$acme_pid"
    wait "$acme_pid" || true
    acme_pid=
}

shown() { # NAME FIELD...: of the certificate that who asks for it is shown
    openssl s_client -connect "127.0.0.1:$port" -servername "$1" </dev/null 2>/dev/null | openssl x509 "${@:2}"
}
issuer() { shown "$1" -noout -issuer -nameopt RFC2253 | sed 's/^issuer=//'; }
# at NAME PATH curl's...: as browsers do, trusting nobody but the authority
at() {
    curl -s --no-progress-meter --max-time "$hang" --cacert "$acme_root" --resolve "$1:$port:127.0.0.1" "https://$1:$port$2" "${@:3}"
}
named_by_authority() { at "$1" / -o /dev/null; }
settings() { # APP JSON
    echo "$2" >"$work/settings.json"
    ctl app settings "$1" "$work/settings.json" "${to[@]}" >/dev/null
}
told() { # EXPRESSION, of acme in /status
    ctl get /status "${to[@]}" | python3 -c 'import json, sys
acme = next((part["details"].get("acme") for part in json.load(sys.stdin) if "acme" in part.get("details", {})), None)
names = {n["name"]: n for n in acme["names"]} if acme else {}
print(eval(sys.argv[1]))' "$1"
}
