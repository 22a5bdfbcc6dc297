#!/usr/bin/env bash
# attestedFetch beneath TLS: through an nginx that terminates it, from Node and from a page in Chromium; and what somebody in
# between, who serves the key, can make of it.
. "$(dirname "$0")/lib.sh"
command -v chromium >/dev/null || { echo "chromium is not installed"; exit 77; }

package=$SOURCE/bindings/javascript
mkdir -p "$work/client/node_modules" "$work/nginx"
cp -r "$("$package/test/packages.sh")"/{asn1js,@peculiar,@hpke,undici} "$work/client/node_modules/"
mkdir "$work/client/node_modules/enclave-verifier"
cp -r "$package"/{package.json,src} "$work/client/node_modules/enclave-verifier/"
cp "$(dirname "$0")"/attested_ohttp.{mjs,html} "$work/client/"

check start
push hello hello-c
push echo echo
push counter counter-c
first_use
cp "$policy" "$work/client/policy.json"

# who terminates TLS in between: pages of his own, and the enclave behind him
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/cdn.key" -out "$work/cdn.pem" -days 2 -subj /CN=cdn \
    -addext subjectAltName=DNS:localhost 2>/dev/null
cdn=$(free_port) told=$(free_port)
cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log; events {}
http { access_log $work/cdn.log; client_max_body_size 8m; types { text/html html; text/javascript js; application/json json; }
       client_body_temp_path $work/nginx; proxy_temp_path $work/nginx; fastcgi_temp_path $work/nginx;
       uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
       server { listen 127.0.0.1:$cdn ssl; ssl_protocols TLSv1.3; ssl_certificate $work/cdn.pem; ssl_certificate_key $work/cdn.key;
                location /page/ { alias $work/client/; }
                location = /told { proxy_pass http://127.0.0.1:$told; }
                location / { proxy_pass https://127.0.0.1:$port; proxy_ssl_protocols TLSv1.3; } } }
CONF
chmod -R a+rX "$work"
/usr/sbin/nginx -c "$work/nginx.conf" 2>/dev/null &
await nginx listening_to "$cdn"
front=https://localhost:$cdn
client() { NODE_EXTRA_CA_CERTS=$work/cdn.pem node "$work/client/attested_ohttp.mjs" "$@" || fail "the client: $*"; }

client fetch "$front" "$work/policy.json"
equal "$(grep -cE '/(hello|echo|counter)/' "$work/cdn.log")" 0 "paths that are seen in between"
client hostile "$front" "$work/policy.json"
client browser "$front/page/attested_ohttp.html" "$told"
equal "$(grep -cE '/(hello|echo|counter)/' "$work/cdn.log")" 0 "paths that are seen in between"

# the server starts again, and has another key: whoever had the old one gets the new one, and judges it
mkfifo "$work/steps"
NODE_EXTRA_CA_CERTS=$work/cdn.pem node "$work/client/attested_ohttp.mjs" again "$front" "$work/policy.json" <"$work/steps" >"$work/said" 2>&1 &
again=$!
exec {steps}>"$work/steps"
await "the first answer" grep -q '^1$' "$work/said"
stop
check start
echo go >&"$steps"
exec {steps}>&-
wait $again || fail "over a restart: $(cat "$work/said")"
stop
mv "$work/data" "$work/ours"
cp "$work/client/policy.json" "$work/ours.json"
check start
client refused "$front" "$work/ours.json"
check stop
