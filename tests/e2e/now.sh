#!/usr/bin/env bash
# A request that is running when its app is replaced: it is finished by the code that its connection's handshake showed, and the
# connection ends behind it; with --now it is cut instead, whatever the change is of, and so is what older generations still answer.
# Who asks has the answer, though the connection is one of those.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_quotes
export LIE=$work/lie
check start
push echo echo

# A request whose body comes in two halves: half, then a command (a push, a removal), then the rest, unless the command has --now or
# UNFINISHED is set: then what is waited for is the end, for less than the minute that connections have otherwise. Prints what came of the answer.
halves() {
    python3 - "$port" "$@" <<'END'
import os, socket, ssl, subprocess, sys
context = ssl._create_unverified_context()  # what is shown here is not about who answers
sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
sock.settimeout(300)
sock.sendall(b"POST /echo/ HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\nhalf")
before = b""
while b"half" not in before:  # the app has begun to answer
    before += sock.recv(65536)
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
rest = b""
now = any("--now" in argument for argument in sys.argv) or "UNFINISHED" in os.environ
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

ctl=("$BUILD/bin/enclavectl")
equal "$(halves "${ctl[@]}" app push echo "$BUILD/apps/hello-c.wasm" "${to[@]}")" whole
push echo echo
equal "$(halves "${ctl[@]}" app push echo "$BUILD/apps/hello-c.wasm" --now "${to[@]}")" cut "app push"
push echo echo
printf '{"config":{"a":"b"}}' >"$work/settings"
equal "$(halves "${ctl[@]}" app settings echo "$work/settings" --now "${to[@]}")" cut "app settings"
check openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -keyout "$work/ca.key" -out "$work/ca.pem" \
    2>/dev/null
equal "$(halves "${ctl[@]}" egress-ca set "$work/ca.pem" --now "${to[@]}")" cut "egress-ca set"
equal "$(halves "${ctl[@]}" egress-ca rm --now "${to[@]}")" cut "egress-ca rm"
check ctl keygen "$work/other" >/dev/null
equal "$(halves "${ctl[@]}" admin add "$work/other.pub" --role monitor --now "${to[@]}")" cut "admin add"
# older ones, too: two changes, and only the second is in a hurry
two="'${ctl[0]}' app settings echo '$work/settings' \"\$@\" && '${ctl[0]}' app settings echo '$work/settings' --now \"\$@\""
equal "$(halves bash -c "$two" bash "${to[@]}")" cut "the generation before the last"
# administrators who wait for their turn have their answers, too
echo hold >"$LIE" # so that all are there before the first change is made
for i in 1 2 3 4; do
    ctl app settings echo "$work/settings" --now "${to[@]}" >"$work/answer$i" 2>&1 &
    askers[i]=$!
done
await "the askers" metric_is app_changes_waiting 3
rm "$LIE"
for i in 1 2 3 4; do wait "${askers[i]}" || fail "an asker was cut: $(cat "$work/answer$i")"; done
# where nothing is changed, nothing is in a hurry
refused() { "$@" "${to[@]}" 2>"$work/why" && fail "--now was ignored: $*"; contains "$(cat "$work/why")" --now; }
refused ctl app list --now
refused ctl app settings echo --now
refused ctl egress-ca show --now
refused ctl admin ls --now
refused ctl get /status --now
equal "$(halves "${ctl[@]}" app rm echo --now "${to[@]}")" cut "app rm"
equal "$(status /echo/)" 404
check stop

# what is left is cut after --drain-timeout, without anybody's hurry: here the client never sends the rest
check start --drain-timeout 1
push echo echo
equal "$(UNFINISHED=1 halves "${ctl[@]}" app push echo "$BUILD/apps/hello-c.wasm" "${to[@]}")" cut "--drain-timeout"
check stop
