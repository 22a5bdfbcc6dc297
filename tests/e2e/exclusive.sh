#!/usr/bin/env bash
# --exclusive: nothing new of an app begins before what it was has ended, or was cut when its time was over. Until then it
# is answered with 503, on connections of before and on new ones; other apps are answered as ever.
. "$(dirname "$0")/lib.sh"
check start
push echo echo
push other hello-c

# A request to echo whose body comes in two halves, on a connection of before, and a second connection of before: says
# "held", waits for a line, then asks on the second, sends the rest on the first, and says what came of both.
mkfifo "$work/go"
hold() {
    python3 - "$port" 3<"$work/go" <<'END' >"$work/held"
import os, socket, ssl, sys
context = ssl._create_unverified_context()  # what is shown here is not about who answers
def connect():
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    sock.settimeout(300)
    return sock
def read(sock, until):
    data = b""
    try:
        while until not in data:
            more = sock.recv(65536)
            if not more:
                break
            data += more
    except OSError:
        pass
    return data
first, second = connect(), connect()
second.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
read(second, b"ok")
first.sendall(b"POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf")
before = read(first, b"half")
print("held", flush=True)
order = os.read(3, 16).strip()
if order == b"ask":
    second.sendall(b"GET /echo/ HTTP/1.1\r\nHost: h\r\n\r\n")
    head = read(second, b"\r\n\r\n").decode().lower()
    print(head.split()[1] if head else "closed", "retry-after: 1" in head, flush=True)
    order = os.read(3, 16).strip()
if order == b"rest":
    first.sendall(b"full")
rest = read(first, b"0\r\n\r\n")
print("whole" if b"full" in rest else "cut", flush=True)
END
}
begin() { rm -f "$work/held"; hold & holder=$!; exec 7>"$work/go"; await "a request that runs" grep -qs held "$work/held"; }
say() { echo "$1" >&7; }
over() { exec 7>&-; wait $holder; equal "$(tail -n 1 "$work/held")" "$1" "${2:-the request of before}"; }
is() { [ "$(status "$1")" = "$2" ]; }
change() { ctl "$@" "${to[@]}" >"$work/answer" 2>&1 & changer=$!; }
made() { wait $changer || fail "the change: $(cat "$work/answer")"; }

# a push waits, and says so
begin
change app push echo "$BUILD/apps/hello-c.wasm" --exclusive
await "the new one, that waits" is /echo/ 503
contains "$(curl -sk -D - "$url/echo/")" "retry-after: 1"
equal "$(status /other/)" 200 "another app"
kill -0 $changer 2>/dev/null || fail "it was answered before the request of before had ended: $(cat "$work/answer")"
say ask
await "the second connection" lines "$work/held" 2
case "$(sed -n 2p "$work/held")" in "503 true" | "503 True" | closed*) ;; *) fail "$(sed -n 2p "$work/held")" ;; esac
equal "$(status /echo/)" 503 "as long as it runs"
say rest
over whole
made
contains "$(get /echo/)" Hello

# settings, and a removal, with whose end the data goes
push echo echo
printf '{"config":{"a":"b"}}' >"$work/settings"
begin
change app settings echo "$work/settings" --exclusive
await "new settings, that wait" is /echo/ 503
say rest
over whole
made
equal "$(status /echo/)" 200
begin
change app rm echo --exclusive
await "the removal" is /echo/ 404
kill -0 $changer 2>/dev/null || fail "it was answered before the request of before had ended: $(cat "$work/answer")"
say rest
over whole
made

# with --now nobody is waited for but the end of what is cut
push echo echo
begin
change app push echo "$BUILD/apps/hello-c.wasm" --exclusive --now
made
over cut
contains "$(get /echo/)" Hello
check ctl app push first "$BUILD/apps/hello-c.wasm" --exclusive "${to[@]}" >/dev/null # nothing was before
equal "$(status /first/)" 200

# where nothing is exclusive, nobody says so
refused() { "$@" "${to[@]}" 2>"$work/why" && fail "--exclusive was ignored: $*"; contains "$(cat "$work/why")" --exclusive; }
refused ctl app list --exclusive
refused ctl app settings echo --exclusive
refused ctl egress-ca rm --exclusive
refused ctl admin threshold 1 --exclusive
check stop

# and it is for no longer than --drain-timeout
check start --drain-timeout 1
push echo echo
begin
change app push echo "$BUILD/apps/hello-c.wasm" --exclusive
made
over cut
contains "$(get /echo/)" Hello
check stop
