#!/usr/bin/env bash
# The enclave ends itself, because the host said that it had cut pages' permissions and had not. The host goes on as if
# nothing were. No thread answers anything behind that: neither a connection that was there, nor a new one.
. "$(dirname "$0")/lib.sh"

HOST=$BUILD/bin/lying_host
LIE=success LIE_WHILE=$work/lie KEEP_SERVING=1 check start --workers 2
push hello hello-c
python3 - "$port" "$work" "$BUILD" "$url" "$admin" <<'END' || fail "the dead answered"
import os, socket, ssl, subprocess, sys, time
port, work, build, url, admin = sys.argv[1:]

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

def connect():
    return context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), timeout=10))

def ask(connection):
    connection.sendall(b"GET /hello/ HTTP/1.1\r\nHost: h\r\n\r\n")
    return connection.recv(65536)

connections = [connect() for _ in range(6)]  # over both workers
for connection in connections:
    assert ask(connection).startswith(b"HTTP/1.1 200")
open(work + "/lie", "w").close()
push = subprocess.Popen([build + "/bin/enclavectl", "app", "push", "second", build + "/apps/echo.wasm", "--url", url,
                         "--admin-key", admin, "--policy", work + "/policy.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def died():
    with open(work + "/server.log") as log:
        return "has died" in log.read()
for _ in range(6000):
    if died():
        break
    time.sleep(0.02)
else:
    sys.exit("the enclave did not die of the lie")
for connection in connections:
    connection.settimeout(1)
    try:
        answer = ask(connection)
    except OSError:
        answer = b""
    if answer:
        sys.exit("answered: %r" % answer[:40])
try:
    connect()
    sys.exit("a new connection was made")
except OSError:
    pass
push.kill()
END
kill -KILL "$server" 2>/dev/null || true # it may have ended by itself
server=
