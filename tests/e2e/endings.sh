#!/usr/bin/env bash
# What the server says last arrives: an early answer to somebody who is still sending, and the alert that tells what was
# wrong with the TLS. And who goes on sending for ever is cut.
. "$(dirname "$0")/lib.sh"
check start --workers 2
push hello hello-c
head -c 50000000 /dev/zero >"$work/big"

# uploads that nobody wants: answered, with `connection: close`, and curl has no error
for path in /nothing /_enclave/apps; do
    for round in 1 2 3; do
        curl -sk --max-time 120 -H Expect: -T "$work/big" -D "$work/head" -o "$work/answer" "$url$path" ||
            fail "an upload to $path ended with curl's $? instead of an answer, round $round"
        grep -qE '^HTTP/1.1 40[14] ' "$work/head" || fail "$path: $(cat "$work/head")"
        grep -qi '^connection: close' "$work/head" || fail "$path does not say that it closes: $(cat "$work/head")"
        [ -s "$work/answer" ] || fail "$path: the answer has no body"
    done
done
# and the command line tells what was wrong, though the server may have closed before all was sent
truncate -s 70000000 "$work/large.wasm"
for round in 1 2 3 4 5; do
    result=0
    ctl app push large "$work/large.wasm" "${to[@]}" 2>"$work/why" || result=$?
    equal "$result" 1 "status of a push that is refused: $(cat "$work/why")"
    contains "$(cat "$work/why")" "the server answers 413"
done
# a client that reads only when all is sent has its answer, too
cat >"$work/upload.py" <<'P'
import http.client, ssl, sys
context = ssl._create_unverified_context()
for size in 1000, 300000, 30000000:
    c = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context, timeout=120)
    c.request("POST", "/nothing", body=b"x" * size)
    r = c.getresponse()
    print(size, r.status, len(r.read()) > 0)
P
equal "$(python3 "$work/upload.py" "$port" 2>&1)" $'1000 404 True\n300000 404 True\n30000000 404 True' "answers after whole uploads"
# and one that never stops is stopped (bytes, not time: 64 MiB and what sockets hold)
cat >"$work/forever.py" <<'P'
import socket, ssl, sys
context = ssl._create_unverified_context()
s = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=120))
s.sendall(b"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000000\r\n\r\n")
raw = socket.socket(fileno=s.detach()) # nobody decrypts what follows
sent = 0
try:
    while sent < 1 << 30:
        sent += raw.send(b"\0" * 65536)
except OSError as e:
    pass
print("cut" if sent < 1 << 29 else "not cut after %d bytes" % sent)
P
equal "$(python3 "$work/forever.py" "$port")" cut "a client that sends for ever"

# How the stream of bytes ends: behind the last answer with a close_notify, also where the request was none, and behind
# an answer that breaks off without one, so that nobody takes it for whole.
cat >"$work/notices.py" <<'P'
import socket, ssl, sys
context = ssl._create_unverified_context()
for request in (b"GET /hello/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"no request\r\n\r\n",
                b"GET /failing/?big=100&trap HTTP/1.0\r\n\r\n"):
    raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=300)
    s = context.wrap_socket(raw, suppress_ragged_eofs=False)
    s.sendall(request)
    try:
        while s.recv(65536):
            pass
        print("a close_notify")
    except OSError: # the end of the stream, or a reset
        print("none")
P
push failing failing
equal "$(python3 "$work/notices.py" "$port")" $'a close_notify\na close_notify\nnone' "how connections end"

# a fatal alert for what TLS forbids, in the handshake and behind it, and for too many KeyUpdates in a row
check "$BUILD/bin/alert_client" "$port"
# and the same to clients that leave an answer unread until no buffer on the way has room
push waits waits
push echo echo
check "$BUILD/bin/alert_client" "$port" /waits/poll /echo/
equal "$(status /hello/)" 200 "afterwards"
check stop
