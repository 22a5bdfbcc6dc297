#!/usr/bin/env bash
# The Go library's encrypted requests (docs/protocol.md) through an nginx that terminates TLS, and what somebody in between can
# make of the key, of a request and of an answer.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/enclave-os # of scripts/progress.sh, which says more than is wanted here
cd "$SOURCE/bindings/go"
. ../../scripts/go.sh
PATH=$(dirname "$(go_program)"):$PATH
export GOTOOLCHAIN=local GOWORK=off GOFLAGS=-buildvcs=false GOPROXY=off
cp -r "$SOURCE/bindings/go" "$work/go"
go build -C "$work/go" -o "$work/enclave-fetch" ./cmd/enclave-fetch

check start
push hello hello-c
push echo echo
push counter counter-c
first_use
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/cdn.key" -out "$work/cdn.pem" -days 2 -subj /CN=cdn 2>/dev/null
cdn=$(free_port)
mkdir -p "$work/nginx"
cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log; events {}
http { access_log $work/cdn.log; client_max_body_size 8m;
       client_body_temp_path $work/nginx; proxy_temp_path $work/nginx; fastcgi_temp_path $work/nginx;
       uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
       server { listen 127.0.0.1:$cdn ssl; ssl_protocols TLSv1.3; ssl_certificate $work/cdn.pem; ssl_certificate_key $work/cdn.key;
                location / { proxy_pass https://127.0.0.1:$port; proxy_ssl_protocols TLSv1.3; }
                location = /relay { proxy_pass https://127.0.0.1:$port/_enclave/ohttp; proxy_ssl_protocols TLSv1.3; } } }
CONF
chmod -R a+rX "$work"
/usr/sbin/nginx -c "$work/nginx.conf" 2>/dev/null &
await nginx listening_to "$cdn"
front=https://127.0.0.1:$cdn

fetch() { "$work/enclave-fetch" -sealed "${@:1:$#-1}" "$front${*: -1}"; } # OPTION... PATH
refused() { # STATUS WHAT OPTION... PATH
    local result=0
    fetch "${@:3}" >"$work/said" 2>"$work/why" || result=$?
    equal "$result" "$1" "status of ${*:3}: $(cat "$work/why")"
    contains "$(cat "$work/why")" "$2"
    equal "$(cat "$work/said")" "" "answer of ${*:3}"
}

# ---- as it is meant -----------------------------------------------------------------------------------------------------
whole=$work/whole.json
ctl policy from "$url" --out "$whole" --mrenclave "$(ctl measure "$BUILD/enclave_os.signed")" --allow-simulation --only-apps 2>/dev/null
contains "$(cat "$whole")" '"log"'
contains "$(fetch -policy "$policy" /hello/)" "Hello from C inside the enclave"
contains "$(fetch -policy "$whole" /hello/)" "Hello from C inside the enclave" # with manifest and history, under the key
contains "$(fetch -policy "$policy" -relay "$front/relay" /hello/)" "Hello from C inside the enclave"
head -c 500000 /dev/urandom >"$work/large"
fetch -policy "$policy" -data "$work/large" /echo/ >"$work/back"
check cmp "$work/large" "$work/back"
echo x >"$work/text"
equal "$(fetch -policy "$policy" -data "$work/text" /counter/)" 1
equal "$(grep -cE '/(hello|echo|counter)/' "$work/cdn.log")" 0 "paths that are seen in between"
refused 3 "404" -policy "$policy" /nobody/
refused 3 "403" -policy "$policy" /_enclave/apps
sed 's/"instance": *"[0-9a-f]*"/"instance":"'"$(printf '0%.0s' {1..64})"'"/' "$policy" >"$work/other.json"
refused 1 "instance: " -policy "$work/other.json" /hello/
over_tls=0 # by which nothing of nginx's is proven
"$work/enclave-fetch" -policy "$policy" "$front/hello/" >/dev/null 2>&1 || over_tls=$?
equal "$over_tls" 1 "the status over nginx's own TLS"

# ---- somebody in between, with another instance of the same program ---------------------------------------------------------
mkdir "$work/stranger"
stranger_port=$(free_port)
"$HOST" serve --image "$BUILD/enclave_os.signed" --listen "127.0.0.1:$stranger_port" --data "$work/stranger" --sim-dir "$work/sim" \
    --admin-key "$admin.pub" >"$work/stranger.log" 2>&1 &
stranger=$!
await "the stranger" grep -q '^ready' "$work/stranger.log"
between=$(free_port)
echo pass >"$work/mode"
python3 "$here/ohttp_between.py" "$between" "$port" "$stranger_port" "$work/mode" "$work/between.log" "$work/cdn.pem" "$work/cdn.key" 2>/dev/null &
await "who is in between" listening_to "$between"
front=https://127.0.0.1:$between
mode() { echo "$1" >"$work/mode"; }
contains "$(fetch -policy "$policy" /hello/)" "Hello from C inside the enclave"
for how in swapped mixed; do
    mode $how
    refused 1 "is not signed by the certificate's key" -policy "$policy" /hello/
done
mode other
refused 1 "instance: " -policy "$policy" /hello/
mode twice
before=$(ask "$url/counter/peek")
refused 3 "409" -policy "$policy" -data "$work/text" /counter/
equal "$(ask "$url/counter/peek")" $((before + 1)) "after it was sent twice"
for how in half bent; do
    mode $how
    refused 3 "does not know the key" -policy "$policy" /hello/
done
for how in half-answer bent-answer other-answer; do
    mode $how
    refused 3 "is not the enclave's answer to this request" -policy "$policy" /hello/
done
mode pass
contains "$(fetch -policy "$policy" /hello/)" "Hello from C inside the enclave"
kill -TERM "$stranger"
wait "$stranger" || fail "the stranger ended with $?"
stop
