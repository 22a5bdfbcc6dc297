#!/usr/bin/env bash
# A request that is running when its app is replaced: it is finished by the code that its connection's handshake showed, and the
# connection ends behind it; with --now it is cut instead, and so it is when the app goes.
. "$(dirname "$0")/lib.sh"
check start
push echo echo

# A request whose body comes in two halves: half, then a command (a push, a removal), then the rest, unless the command has --now: then
# what is waited for is the end, for less than the minute that connections have otherwise. Prints what came of the answer.
halves() {
    python3 - "$port" "$@" <<'END'
import socket, ssl, subprocess, sys
context = ssl._create_unverified_context()  # what is shown here is not about who answers
sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
sock.settimeout(300)
sock.sendall(b"POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf")
before = b""
while b"half" not in before:  # the app has begun to answer
    before += sock.recv(65536)
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
rest = b""
now = "--now" in sys.argv
sock.settimeout(40 if now else 300)
try:
    if not now:
        sock.sendall(b"full")
    while True:
        more = sock.recv(65536)
        if not more:
            break
        rest += more
except TimeoutError:
    sys.exit("it was not cut")
except OSError:
    pass
print("whole" if b"full" in rest and rest.endswith(b"0\r\n\r\n") else "cut")
END
}

equal "$(halves "$BUILD/bin/enclavectl" app push echo "$BUILD/apps/hello-c.wasm" "${to[@]}")" whole
push echo echo
equal "$(halves "$BUILD/bin/enclavectl" app push echo "$BUILD/apps/hello-c.wasm" --now "${to[@]}")" cut
push echo echo
equal "$(halves "$BUILD/bin/enclavectl" app rm echo --now "${to[@]}")" cut
equal "$(status /echo/)" 404
stop
