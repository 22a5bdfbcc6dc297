#!/usr/bin/env bash
# Requests that apps make: TLS that ends in the enclave, with real servers and hostile ones; to listed hosts only, under
# the operator's CA bundle only; every failure is told to the guest by its own error-code.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upstream.sh"
via() { get "/gate$1" -H "x-to: localhost:$up" "${@:2}"; }
# The numbers of wasi:http's error-code
dns=1 refused=6 terminated=7 timeout=8 limit=11 protocol_tls=12 certificate=13 alert=14 denied=15 size=17 \
    method=18 uri=19 incomplete=25 head_size=26 coding=31 response_timeout=33 protocol=35 configuration=37

leaf good "DNS:localhost,IP:127.0.0.1" 10
leaf other "DNS:elsewhere.example" 10
check start --workers 2
push gate gateway-c
upstream good
good=$up

# denied by default; then without a bundle; then with the wrong one
equal "$(via /bytes/5)" "error $denied"
contains "$(cat "$work/server.log")" "a request to localhost port $good is denied: the app's setting egress does not list it"
allow gate "\"localhost:$good\",\"127.0.0.1:$good\""
equal "$(via /bytes/5)" "error $configuration" "no CA bundle"
pki -x509 -keyout /dev/null -subj /CN=another-root -out "$work/another.pem"
ctl egress-ca set "$work/another.pem" "${to[@]}" >/dev/null
equal "$(via /bytes/5)" "error $certificate" "a bundle of somebody else"
cat "$work/another.pem" "$work/ca.pem" >"$work/bundle.pem"
ctl egress-ca set "$work/bundle.pem" "${to[@]}" >/dev/null

# every framing, up and down
equal "$(via /bytes/16)" 0123456789abcdef
for path in /bytes/3000000 /chunked/3000000 /until-end/3000000; do
    equal "$(via $path | sha256sum | cut -c1-8)" "$(python3 -c 'import hashlib; print(hashlib.sha256((b"0123456789abcdef" * 187501)[:3000000]).hexdigest()[:8])')" "$path"
done
head -c 2000000 /dev/urandom >"$work/body"
via /echo --data-binary "@$work/body" -H 'x-test: there and back' -D "$work/head" | cmp - "$work/body" || fail "echo"
contains "$(cat "$work/head")" "x-test: there and back"
via /echo --data-binary "@$work/body" -H 'transfer-encoding: chunked' | cmp - "$work/body" || fail "echo, chunked"
equal "$(via /head)" "GET localhost:$good none"
equal "$(via /head -d '')" "POST localhost:$good 0"
equal "$(via /head -X PROPFIND)" "PROPFIND localhost:$good chunked" "a method of one's own"
equal "$(via /bytes/7 -I -o /dev/null -w '%{http_code}')" 200 "HEAD"
equal "$(via /interim)" late
equal "$(via /no-content -o /dev/null -w '%{http_code}')" 204
equal "$(via /redirect -o /dev/null -w '%{http_code} %header{location}' 2>/dev/null | cut -c1-3)" 302 "redirects are the guest's"
equal "$(via /trickle)" abcdef
equal "$(get /gate/bytes/3 -H "x-to: 127.0.0.1:$good")" 012 "by address"
equal "$(get /gate/bytes/3 -H "x-to: LOCALHOST:$good")" 012 "in capitals"

# what is refused before anything is sent
equal "$(get /gate/ -H "x-to: localhost:1")" "error $denied" "another port"
equal "$(get /gate/ -H "x-to: localhost")" "error $denied" "the default port"
equal "$(get /gate/ -H "x-to: localhost:$good" -H 'x-scheme: http')" "error $denied" "plain http"
for bad in "a@localhost:$good" "localhost:$good/x" "localhost:" "localhost:99999999" "[::1" ""; do
    case "$(get /gate/ -H "x-to;" -H "x-to: $bad")" in "error $uri" | "error $denied") ;; *) fail "authority '$bad'" ;; esac
done

# servers that misbehave: each is told that the connection is over, whatever was wrong with its answer
seen() { via /seen | grep -q "('$1', '$2')"; } # PATH WHAT
for case in two-lengths:$protocol both:$protocol coding:$coding folded:$protocol nul:$protocol no-version:$protocol \
    http2:$protocol switch:$protocol interims:$protocol head-size:$head_size lines:$head_size empty-lines:$head_size reason:$head_size negative:$protocol \
    huge:$protocol garbage:$protocol nothing:$terminated; do
    equal "$(via "/${case%:*}")" "error ${case#*:}" "/${case%:*}"
    [ $case = nothing:$terminated ] || await "a close_notify for the server of /${case%:*}" seen "/${case%:*}" "a close_notify"
done
for path in /short /cut/100 /chunk-size; do # the head came: the client's answer is cut as well
    via $path -f -o /dev/null && fail "$path was taken for whole"
done
# one that is not there any more, while an answer is waited for and while it comes: also where nothing is left to be sent
for _ in 1 2 3 4 5; do
    equal "$(via /reset)" "error $terminated" /reset
    via /reset-body -f -o /dev/null && fail "a body that a reset ended was taken for whole"
done
equal "$(via /never -H 'x-timeout: 2000')" "error $response_timeout"
via /never-body -f -H "x-timeout: 2000" -o /dev/null && fail "a body that stands still was taken for whole"
# a request whose body breaks off is not whole for the server either
talk send "POST /gate/broken HTTP/1.1\r\nHost: x\r\nx-to: localhost:$good\r\nContent-Length: 100\r\n\r\nabc" await "$work/arrived" >/dev/null &
breaks=$!
await "the request at the server" seen /broken begun
touch "$work/arrived"
wait $breaks
await "the break at the server" seen /broken broken

# addresses and names that lead nowhere
closed=$(free_port)
allow gate "\"localhost:$good\",\"localhost:$closed\",\"nowhere.invalid\",\"127.0.0.1:$good\""
equal "$(get /gate/ -H "x-to: localhost:$closed")" "error $refused"
equal "$(get /gate/ -H "x-to: nowhere.invalid")" "error $dns"

# other certificates and protocols
upstream other
other=$up
openssl x509 -req -in "$work/good.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days -1 -extfile <(echo subjectAltName=DNS:localhost) \
    -out "$work/expired.pem" 2>/dev/null || openssl x509 -req -in "$work/good.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
    -not_before 20200101000000Z -not_after 20200102000000Z -extfile <(echo subjectAltName=DNS:localhost) -out "$work/expired.pem"
cp "$work/good.key" "$work/expired.key"
upstream expired
expired=$up
upstream good TLSv1_2
tls12=$up
upstream good TLSv1_1
tls11=$up
plain=$(free_port)
python3 -m http.server --bind 127.0.0.1 --directory "$work" "$plain" >/dev/null 2>&1 &
await "a server without TLS" listening "$plain"
allow gate "\"localhost:$good\",\"localhost:$other\",\"localhost:$expired\",\"localhost:$tls12\",\"localhost:$tls11\",\"localhost:$plain\",\"127.0.0.1:$port\",\"localhost:$port\""
equal "$(get /gate/bytes/3 -H "x-to: localhost:$other")" "error $certificate" "a certificate for another name"
equal "$(get /gate/bytes/3 -H "x-to: localhost:$expired")" "error $certificate" "an expired certificate"
equal "$(get /gate/bytes/3 -H "x-to: localhost:$tls12")" 012 "TLS 1.2"
case "$(get /gate/bytes/3 -H "x-to: localhost:$tls11")" in "error $alert" | "error $protocol_tls") ;; *) fail "TLS 1.1" ;; esac
equal "$(get /gate/bytes/3 -H "x-to: localhost:$plain")" "error $protocol_tls" "no TLS at all"

# this very enclave, under its own CA: one request waits for another on the same worker
push hello hello-c
openssl s_client -connect "127.0.0.1:$port" -showcerts </dev/null 2>/dev/null | awk '/BEGIN/ {n++} n == 2' | sed -n '/BEGIN/,/END/p' >"$work/own.pem"
cat "$work/own.pem" "$work/bundle.pem" >"$work/both.pem"
ctl egress-ca set "$work/both.pem" "${to[@]}" >/dev/null
equal "$(get /gate/hello/ -H "x-to: localhost:$port")" "Hello from C inside the enclave"

# nginx, and many at once
web=$(free_port)
mkdir -p "$work/www" "$work/nginx"
head -c 300000 /dev/urandom >"$work/www/file"
cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log; events {}
http { access_log off; client_body_temp_path $work/nginx; proxy_temp_path $work/nginx; fastcgi_temp_path $work/nginx;
       uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
       server { listen 127.0.0.1:$web ssl; ssl_certificate $work/good.pem; ssl_certificate_key $work/good.key; root $work/www; } }
CONF
chmod -R a+rX "$work"
/usr/sbin/nginx -c "$work/nginx.conf" 2>/dev/null &
allow gate "\"localhost:$web\",\"localhost:$good\",\"localhost:$port\""
await nginx listening "$web"
get /gate/file -H "x-to: localhost:$web" | cmp - "$work/www/file" || fail "a file from nginx"
for i in $(seq 200); do printf 'url = "%s/gate/file"\noutput = "%s/got.%d"\n' "$url" "$work" "$i"; done >"$work/urls"
ask --parallel --parallel-max 40 -H "x-to: localhost:$web" -K "$work/urls"
for i in $(seq 200); do cmp "$work/got.$i" "$work/www/file" || fail "number $i of many at once"; done
for _ in 1 2 3 4; do get /gate/slow-head -H "x-to: localhost:$good" --max-time 0.5 -o /dev/null || true; done
# the clients gave up, the apps' requests go on until they are answered; then nothing is held
await "the end of all guests" metric_is guest_memory_bytes 0
metrics=$(ctl get /metrics "${to[@]}")
case $metrics in *'"outgoing_requests_total":0,'* | *'"outgoing_failures_total":0}'*) fail "not counted: $metrics" ;; esac

# a server that takes connections and says nothing: an app has so many requests at once, and storage goes on beside them
silent=$(free_port)
python3 -c "import os, socket, time
s = socket.create_server(('127.0.0.1', $silent), backlog=512)
while not os.path.exists('$work/enough'): time.sleep(0.05)" &
await "the silent server" listening "$silent"
push counter counter-c
allow gate "\"localhost:$silent\",\"localhost:$good\""
for i in $(seq 200); do printf 'url = "%s/gate/"\noutput = "%s/silent.%d"\n' "$url" "$work" "$i"; done >"$work/urls"
equal "$(get /gate/ -H "x-to: localhost:$silent" -H 'x-timeout: 500')" "error $timeout" "one request to it"
ask --parallel --parallel-max 200 -H "x-to: localhost:$silent" -H "x-timeout: ${hang}000" -K "$work/urls" &
many=$!
outcome() { grep -qsx "error $1" "$work"/silent.*; }
await "one request too many" outcome $limit
for i in 1 2 3 4 5; do equal "$(get /counter/)" "$i" "storage beside silent servers"; done
! outcome $terminated && ! outcome $timeout || fail "the silent server has ended: nothing was beside it"
touch "$work/enough"
wait $many || true
cat "$work"/silent.* | sort | uniq -c | sed 's/^ *//' >"$work/outcomes"
grep -q "error $terminated" "$work/outcomes" && grep -q "error $limit" "$work/outcomes" || fail "outcomes: $(cat "$work/outcomes")"
[ "$(grep -cv "error $terminated\|error $limit" "$work/outcomes")" = 0 ] || fail "outcomes: $(cat "$work/outcomes")"

# shutdown does not wait for servers that do not answer
requests=$(metric outgoing_requests_total)
get /gate/never -H "x-to: localhost:$good" -o /dev/null &
await "a request to a server that does not answer" metric_reaches outgoing_requests_total $((requests + 1))
check stop
