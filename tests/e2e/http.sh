#!/usr/bin/env bash
# HTTP over the real TLS path: status codes, pipelining, smuggling, limits, and other people's clients.
. "$(dirname "$0")/lib.sh"

# raw REQUEST: what the server answers to these very bytes (\r\n written as such) until it ends the connection
raw() { talk send "$1" eof; }
line() { talk send "$1" until '\n' | head -n 1 | tr -d '\r'; }

check start --max-header-bytes 8192 --max-headers 20 --max-body-bytes 100000
push hello hello-c
push echo echo
host='Host: x\r\n'

equal "$(status /healthz -X POST)" 405 "wrong method on a built-in route"
equal "$(status /none/)" 404
equal "$(status /readyz)" 401 "monitoring without a token"
equal "$(status /_enclave/apps/x -X PUT -H 'Authorization: Bearer x' -H 'Content-Length;')" 400 "an empty Content-Length"
equal "$(line "PUT /_enclave/apps/x HTTP/1.1\r\n${host}Authorization: Bearer x\r\nConnection: close\r\n\r\n")" "HTTP/1.1 411 Length Required"
equal "$(line "GET / HTTP/1.1\r\n\r\n")" "HTTP/1.1 400 Bad Request" "no Host"
equal "$(line "GARBAGE / HTTP/1.1\r\n${host}\r\n")" "HTTP/1.1 404 Not Found" "an unknown method"
equal "$(status /hello/ -X BREW)" 200 "a method that the app may know"
equal "$(line "GET /\001 HTTP/1.1\r\n${host}\r\n")" "HTTP/1.1 400 Bad Request" "a control character"
equal "$(line "POST /echo/ HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")" "HTTP/1.1 400 Bad Request" "two lengths"
equal "$(line "POST /echo/ HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")" \
    "HTTP/1.1 400 Bad Request" "length and chunked"
equal "$(line "POST /echo/ HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n")" "HTTP/1.1 501 Not Implemented"
equal "$(line "GET /hello/ HTTP/1.1\r\n${host}$(for i in $(seq 25); do printf 'X-%s: y\\r\\n' "$i"; done)\r\n")" \
    "HTTP/1.1 431 Request Header Fields Too Large" "too many fields"
equal "$(status /hello/ -H "X: $(head -c 9000 /dev/zero | tr '\0' a)")" 431 "a long field"
equal "$(head -c 200000 /dev/zero | curl -sk -o /dev/null -w '%{http_code}' --data-binary @- "$url/echo/")" 413 "a long body"

# pipelining: three answers, in order, on one connection
answers=$(raw "GET /hello/ HTTP/1.1\r\n${host}\r\nGET /nothing/ HTTP/1.1\r\n${host}\r\nGET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n" |
    grep -a '^HTTP/1.1' | tr -d '\r' | cut -d' ' -f2 | tr '\n' ' ')
equal "$answers" "200 404 200 " "pipelined answers"

# HEAD has the fields and no body; keep-alive serves two requests on one connection
equal "$(curl -skI "$url/hello/" | head -n 1 | tr -d '\r')" "HTTP/1.1 200 OK"
equal "$(curl -sk -o /dev/null -o /dev/null -w '%{num_connects} ' "$url/hello/" "$url/hello/")" "1 0 " "keep-alive"

# prefix and path as the guest sees them, and ALPN with an unknown name first
contains "$(openssl s_client -connect "127.0.0.1:$port" -alpn privasys-ratls/1,http/1.1 </dev/null 2>/dev/null)" "ALPN protocol: http/1.1"
contains "$(openssl s_client -connect "127.0.0.1:$port" -alpn privasys-ratls/1 </dev/null 2>/dev/null)" "No ALPN negotiated"
contains "$(openssl s_client -connect "127.0.0.1:$port" -alpn http/1.0 </dev/null 2>/dev/null)" "ALPN protocol: http/1.0"
equal "$(status /hello/ -0)" 200 "curl -0, which offers HTTP/1.0 alone"
contains "$(openssl s_client -connect "127.0.0.1:$port" -alpn h2 </dev/null 2>&1 || true)" "no application protocol"

# targets, as another would take them apart, and Hosts
for target in 'http://h?/hello/x' 'http://h#/hello/x' '/hello/%2e%2e/_enclave/apps' 'http://u@h/hello/'; do # tests/native has all
    answer=$(line "GET ${target//%2e/%%2e} HTTP/1.1\r\n${host}Connection: close\r\n\r\n")
    [[ $answer == *' 400 '* || ($target == 'http://h?'* && $answer == *' 404 '*) ]] || fail "$target: $answer"
done
equal "$(line "GET http://h/hello/x HTTP/1.1\r\n${host}Connection: close\r\n\r\n")" "HTTP/1.1 200 OK" "the absolute form"
equal "$(line "OPTIONS * HTTP/1.1\r\n${host}Connection: close\r\n\r\n")" "HTTP/1.1 204 No Content" "the server as a whole"
for value in 'a b' u@h 'h\xff'; do
    equal "$(line "GET /healthz HTTP/1.1\r\nHost: $value\r\nConnection: close\r\n\r\n")" "HTTP/1.1 400 Bad Request" "Host: $value"
done
for value in '[::1]:8443' ''; do
    equal "$(line "GET /healthz HTTP/1.1\r\nHost: $value\r\nConnection: close\r\n\r\n")" "HTTP/1.1 200 OK" "Host: $value"
done
# what 405 and 401 must say; what is no request behind HEAD gets an answer with all of its content
for request in "/healthz -X POST" "/metrics -X DELETE" "/_enclave/proof/hello -X POST" "/hello/ -X TRACE"; do
    contains "$(curl -sk -o /dev/null -D - $(sed "s#^#$url#" <<<"$request"))" "allow: "
done
for path in /metrics /readyz /_enclave/apps; do contains "$(curl -sk -o /dev/null -D - "$url$path")" "www-authenticate: Bearer"; done
contains "$(raw "HEAD /healthz HTTP/1.1\r\n${host}\r\n\001bad\r\n\r\n" | tr -d '\r')" "400 Bad Request
content-type: text/plain; charset=utf-8"
contains "$(raw "HEAD /healthz HTTP/1.1\r\n${host}\r\n\001bad\r\n\r\n" | tail -n 1)" "400 Bad Request"

# a component with an import that is not served is refused, naming it
! why=$(ctl app push missing "$BUILD/apps/missing-import.wasm" "${to[@]}" 2>&1) ||
    fail "a component with a missing import was deployed"
contains "$why" "import"
check stop

# a server in a hurry: a head that never ends
check start --header-timeout 300
equal "$(line "GET /hello/ HTTP/1.1\r\n${host}")" "HTTP/1.1 408 Request Timeout" "a head that never ends"
check stop

# Uploads of a byte now and then hold an app no longer than they may: all are let go, and the app serves others.
cat >"$work/trickle.py" <<'P'
import selectors, socket, ssl, sys
context = ssl._create_unverified_context()
port, hang, count = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
waiting, statuses = selectors.DefaultSelector(), set()
def ends(s):
    try:
        status = s.recv(4096)[9:12].decode() or "cut"
    except ssl.SSLWantReadError:
        return
    except OSError:
        status = "cut"
    statuses.add(status)
    waiting.unregister(s)
    s.close()
for _ in range(count):
    s = context.wrap_socket(socket.create_connection(("127.0.0.1", port), hang))
    s.sendall(b"POST /sum/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n1")
    s.setblocking(False)
    waiting.register(s, selectors.EVENT_READ)
while waiting.get_map():
    ready = waiting.select(1)
    for key, _ in ready:
        ends(key.fileobj)
    for key in [] if ready else list(waiting.get_map().values()):
        try:
            key.fileobj.send(b"1")
        except OSError:
            pass
print(*sorted(statuses))
P
check start --min-rate 1000 --rate-grace 2000
push sum sum-c
ends=$(python3 "$work/trickle.py" "$port" "$hang" 400)
for end in $ends; do [[ $end == 408 || $end == 503 || $end == cut ]] || fail "slow uploads: $ends"; done
contains "$ends" 408
equal "$(get /sum/ -d "1 2")" 3 "after slow uploads"
check stop
