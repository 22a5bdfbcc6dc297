#!/usr/bin/env bash
# A browser that holds a client certificate is not bothered: it loads an app's page under the CA that enclavectl ca saved,
# without an error and without being asked. Where certificates are requested, the request names whose will do, so a browser
# that has only others goes on without one and asks nobody. Chromium, as people have it, told nothing of certificates.
. "$(dirname "$0")/lib.sh"
command -v chromium >/dev/null && command -v certutil >/dev/null || { echo "chromium and libnss3-tools are not installed"; exit 77; }

# the browser's home: a certificate of a person's, by an issuer that is not ours
mkdir -p "$work/home/.pki/nssdb"
database=sql:$work/home/.pki/nssdb
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout "$work/issuer.key" -out "$work/issuer.pem" -days 2 -subj "/O=Somebody/CN=Issuer of people" 2>/dev/null
openssl req $key -keyout "$work/person.key" -out "$work/person.csr" -subj "/CN=A person" 2>/dev/null
openssl x509 -req -in "$work/person.csr" -CA "$work/issuer.pem" -CAkey "$work/issuer.key" -days 2 -out "$work/person.pem" \
    -extfile <(echo extendedKeyUsage=clientAuth) 2>/dev/null
openssl pkcs12 -export -inkey "$work/person.key" -in "$work/person.pem" -passout pass: -out "$work/person.p12"
certutil -N -d "$database" --empty-password
check pk12util -i "$work/person.p12" -d "$database" -W "" -K "" >/dev/null
contains "$(certutil -K -d "$database")" "A person"
trusted() { certutil -A -d "$database" -n "$1" -t C,, -i "$2"; } # NAME FILE

# browse LOG URL: the page's text; what happened below it is in $work/LOG.json. Nothing but this machine is reached.
visits=0
browse() {
    visits=$((visits + 1))
    HOME=$work/home timeout "$hang" chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        --user-data-dir="$work/profile$visits-$RANDOM" --disable-background-networking --disable-component-update \
        --host-resolver-rules="MAP hello.example.com 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost" --no-proxy-server \
        --log-net-log="$work/$1.json" --dump-dom "$2" 2>"$work/$1.err" ||
        fail "chromium ended with $? at $2: $(tail -n 5 "$work/$1.err")"
}
happened() { grep -qE "\"net_error\":$2\b" "$work/$1.json"; } # LOG ERROR: by Chromium's numbers
asked() { happened "$1" -110; }                               # ERR_SSL_CLIENT_AUTH_CERT_NEEDED
distrusted() { happened "$1" "-2[0-9][0-9]"; }                # a certificate's errors, -202 a CA that is not known
page() { # LOG PATH TEXT: it is shown, without an error
    local shown
    shown=$(browse "$1" "https://localhost:$port$2")
    contains "$shown" "$3"
    ! distrusted "$1" || fail "$1: an error of the server's certificate"
}

check start
push hello hello-c
push echo echo
mrenclave=$(ctl measure "$BUILD/enclave_os.signed")
ca=$work/ca.pem
ctl ca "https://localhost:$port" --out "$ca" --allow-simulation --mrenclave "$mrenclave" >/dev/null || fail "no CA"

# the browser judges: without the CA it shows an error of its own, and nothing of the app
shown=$(browse stranger "https://localhost:$port/hello/")
case $shown in *"inside the enclave"*) fail "shown without a CA" ;; esac
distrusted stranger || fail "the browser had nothing against an unknown CA"

trusted enclave "$ca"
page default /hello/ "Hello from C inside the enclave"
! asked default || fail "the browser was asked for a certificate"
page nobody /echo/client nobody
! asked nobody || fail "the browser was asked for a certificate"

# an app under its own name is all of its origin, and the browser takes the certificate for it
named() { # LOG
    local shown
    shown=$(browse "$1" "https://hello.example.com:$port/")
    contains "$shown" "Hello from C inside the enclave"
    ! distrusted "$1" || fail "$1: an error of the name's certificate"
}
shown=$(browse nameless "https://hello.example.com:$port/")
case $shown in *"inside the enclave"*) fail "shown under a name that nobody has" ;; esac
distrusted nameless || fail "the browser had nothing against another name's certificate"
echo '{"hostnames": ["hello.example.com"]}' >"$work/settings.json"
ctl app settings hello "$work/settings.json" "${to[@]}" >/dev/null
named name

# an app that wants to know its peers: asked, by names, so nothing that the person has will do, and the page is shown
echo '{"peers": "request"}' >"$work/settings.json"
ctl app settings echo "$work/settings.json" "${to[@]}" >/dev/null
page peers /echo/client nobody
asked peers || fail "nobody was asked, though an app wants it"
page beside /hello/ "Hello from C inside the enclave"
check stop
check start --request-client-certificates
page listener /echo/client nobody
asked listener || fail "nobody was asked, though the operator wants it"
check stop

# And the certificate is one that this browser would show: to a server that names its issuer, where a policy, which people do
# not have, spares it the question.
if ! unshare --mount true 2>/dev/null; then
    echo "no namespaces can be made here: that the certificate can be shown was not tried"
    exit 0
fi
openssl req -x509 $key -keyout "$work/site.key" -out "$work/site.pem" -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
cat >"$work/site.py" <<'P'
import http.server, ssl, sys
work, port = sys.argv[1:]
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        subject = (self.connection.getpeercert() or {}).get("subject", ())
        text = "you are " + ", ".join(v for part in subject for _, v in part)
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *_): pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(work + "/site.pem", work + "/site.key")
context.load_verify_locations(work + "/issuer.pem")
context.verify_mode = ssl.CERT_OPTIONAL
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Site)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
P
python3 "$work/site.py" "$work" "$port" &
await "the other server" listening_to "$port"
trusted site "$work/site.pem"
chosen() {
    mount -t tmpfs none /etc/chromium
    mkdir -p /etc/chromium/policies/managed
    echo '{"AutoSelectCertificateForUrls": ["{\"pattern\": \"https://localhost\", \"filter\": {}}"]}' >/etc/chromium/policies/managed/p.json
    browse chosen "https://localhost:$port/"
}
export -f chosen browse fail
export work hang port visits
mkdir -p /etc/chromium
contains "$(unshare --mount bash -c chosen)" "you are A person"
asked chosen || fail "a server that asks was not heard"
