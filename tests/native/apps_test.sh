#!/usr/bin/env bash
# The example components on the native server: answers, streaming, state, and guests that misbehave.
# Usage: apps_test.sh NATIVE_SERVER APPS-FOLDER
set -euo pipefail
server=$1 apps=$2
[ -f "$apps/misbehave.wasm" ] || { echo "components not built (apps/build.sh)"; exit 77; }
work=$(mktemp -d)
. "$(dirname "$0")/../port.sh"
port=$(free_port)
elsewhere=$(free_port)
python3 "$(dirname "$0")/../e2e/upstream.py" "$elsewhere" 2>"$work/elsewhere.log" &
upstream=$!
# Nobody comes to a deadline but the apps loops, hasty and patient, which have short ones.
EGRESS=$elsewhere TIMEOUT_MS=300000 "$server" "$port" 2 hello="$apps/hello-c.wasm" echo="$apps/echo.wasm" a="$apps/counter-c.wasm" \
    b="$apps/counter-c.wasm" files="$apps/files-c.wasm" bad="$apps/misbehave.wasm" gate="$apps/gateway-c.wasm" sum="$apps/sum-c.wasm" \
    loops:3000="$apps/misbehave.wasm" hasty:1000="$apps/gateway-c.wasm" patient:10000="$apps/gateway-c.wasm" 2>"$work/log" &
pid=$!
trap 'kill $pid $upstream 2>/dev/null; rm -rf "$work"' EXIT
url=http://127.0.0.1:$port
# Compiling the components takes seconds, under a sanitizer on a busy machine many: for as long as it lives.
until grep -q '^listening' "$work/log"; do
    kill -0 $pid 2>/dev/null || { echo "the server did not start:"; cat "$work/log"; exit 1; }
    sleep 0.1
done

failed=0
expect() { # WHAT EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: expected '$2', got '$3'"; failed=1; fi
}
get() { curl -s -m 300 "$@"; } # so long only if it hangs
code() { curl -s -m 300 -o /dev/null -w '%{http_code}' "$@"; }

expect "hello" "Hello from C inside the enclave" "$(get "$url/hello/")"
expect "unknown app" 404 "$(code "$url/nobody/")"
head -c 10485760 /dev/urandom >"$work/ten"
sum=$(sha256sum <"$work/ten")
expect "10 MiB echo" "$sum" "$(get --data-binary "@$work/ten" "$url/echo/" | sha256sum)"
expect "10 MiB echo, chunked" "$sum" "$(get -H 'Transfer-Encoding: chunked' --data-binary "@$work/ten" "$url/echo/" | sha256sum)"
expect "slow reader" "$sum" "$(get --limit-rate 4M --data-binary "@$work/ten" "$url/echo/" | sha256sum)"
expect "early hints" "HTTP/1.1 103 Early Hints link: </a>; rel=preload HTTP/1.1 200 OK" \
    "$(echo $(get -D - -d x "$url/echo/early" | tr -d '\r' | grep -E '^HTTP|^link'))"
expect "count" "1 2 3" "$(echo $(get "$url/a/" "$url/a/" "$url/a/"))"
expect "the other app counts for itself" 0 "$(get "$url/b/peek")"
get "$url/a/put/secret" >/dev/null
expect "own text" secret "$(get "$url/a/get")"
expect "not the other's" 404 "$(code "$url/b/get")"
expect "many keys at once" "three - one -" "$(echo $(get "$url/a/many"))"
expect "a file" done "$(get -X PUT --data-binary "@$work/ten" "$url/files/ten")"
expect "a file, read" "$sum" "$(get "$url/files/ten" | sha256sum)"
expect "a directory" "done" "$(get -X PUT "$url/files/d?mkdir")"
expect "renamed" "done" "$(get -X POST "$url/files/ten?rename=/d/ten")"
expect "listed" "d/ ten" "$(echo $(get "$url/files/" "$url/files/d"))"
expect "appended" "done" "$(get -X POST --data-binary "@$work/ten" "$url/files/d/ten?append")"
expect "20 MiB" 20971520 "$(get "$url/files/d/ten" | wc -c)"
expect "no way out" 400 "$(code --path-as-is "$url/files/d/../../../etc/passwd")"
expect "not empty" 409 "$(code -X DELETE "$url/files/d")"
expect "a command" 6 "$(get "$url/sum/" -d "1 2 3")"
# responses from elsewhere: the numbers are wasi:http's error-codes; where the head came, the answer is cut with it
via() { get "$url/gate$1" -H "x-to: localhost:$elsewhere" "${@:2}"; }
expect "elsewhere, echo" "$sum" "$(via /echo --data-binary "@$work/ten" | sha256sum)"
for path in /bytes/100000 /chunked/100000 /until-end/100000; do expect "$path" 100000 "$(via $path | wc -c)"; done
for path in two-lengths both folded nul no-version http2 switch interims negative huge garbage; do
    expect "/$path" "error 35" "$(via /$path)"
done
expect "/coding" "error 31" "$(via /coding)"
expect "/head-size" "error 26" "$(via /head-size)"
expect "/short" "not whole" "$(via /short -f -o /dev/null && echo whole || echo not whole)"
expect "/never" 504 "$(code "$url/hasty/never" -H "x-to: localhost:$elsewhere")"
expect "given up" 000 "$(code "$url/patient/never" -H "x-to: localhost:$elsewhere" -m 0.2)"
for path in trap bomb stack silent unfinished; do expect "$path" 500 "$(code "$url/bad/$path")"; done
expect "loop" 504 "$(code "$url/loops/loop")"
expect "still there" "Hello from C inside the enclave" "$(get "$url/hello/")"
# Whatever happened to them, guests that are gone hold nothing: all that was charged was given back, once.
held() { get -H 'Authorization: Bearer test' "$url/metrics" | grep -o '"guest_memory_bytes":[0-9]*' | cut -d: -f2; }
until [ "$(held)" = 0 ]; do sleep 0.1; done
expect "guests' memory afterwards" 0 "$(held)"
"$server" 1 1 x="$apps/missing-import.wasm" 2>"$work/missing" && failed=1
expect "missing import is named" 1 "$(grep -c 'apps:absent/nowhere@1.0.0' "$work/missing")"
# Others are served while guests loop that have minutes left.
metric() { get -H 'Authorization: Bearer test' "$url/metrics" | grep -o "\"$1\":[0-9]*" | cut -d: -f2; }
calls=$(metric wasm_calls_total) loops=
for _ in 1 2 3 4; do code "$url/bad/loop" >/dev/null & loops="$loops $!"; done
until [ "$(metric wasm_calls_total)" -ge $((calls + 4)) ]; do sleep 0.05; done
failures=$(metric responses_5xx_total)
expect "beside guests that loop" "Hello from C inside the enclave" "$(get "$url/hello/")"
expect "loops that go on" "$failures" "$(metric responses_5xx_total)"
kill $loops # and the server, with guests that would go on for minutes
[ $failed -eq 0 ] || tail -n 50 "$work/log"
exit $failed
