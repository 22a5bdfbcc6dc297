#!/usr/bin/env bash
# Guests that use WASI wrongly are ended or answered for at once, with a reason in the log; what a failing command
# printed reaches the client. The request's time is so long that a test that waits for it is a failed one.
# Usage: guests_test.sh NATIVE_SERVER APPS-FOLDER
set -euo pipefail
server=$1 apps=$2
[ -f "$apps/failing.wasm" ] || { echo "components not built (apps/build.sh)"; exit 77; }
work=$(mktemp -d)
. "$(dirname "$0")/../port.sh"
port=$(free_port) quick=$(free_port)
TIMEOUT_MS=600000 "$server" "$port" 1 misuse="$apps/misuse.wasm" failing="$apps/failing.wasm" \
    proposals="$apps/proposals.wasm" lists="$apps/lists.wasm" 2>"$work/log" &
pids=$!
TIMEOUT_MS=1500 "$server" "$quick" 1 failing="$apps/failing.wasm" 2>"$work/quick" &
pids="$pids $!"
trap 'kill $pids 2>/dev/null; rm -rf "$work"' EXIT
for log in "$work/log" "$work/quick"; do
    for _ in $(seq 900); do
        grep -q '^listening' "$log" && break
        sleep 0.1
    done
    grep -q '^listening' "$log" || { echo "the server did not start:"; cat "$log"; exit 1; }
done
url=http://127.0.0.1:$port

failed=0
expect() { # WHAT EXPECTED ACTUAL
    if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: expected '$2', got '$3'"; failed=1; fi
}
code() { curl -s -m 120 -o "$work/body" -D "$work/head" -w '%{http_code}' "$@"; }
last_line() { tail -n 1 "$work/log"; }

misuse() { # PATH STATUS REASON: 000 is an answer that was cut before its head
    expect "$1 is answered" "$2" "$(code "$url/misuse/$1")"
    case $(last_line) in *"$3"*) echo "ok   $1 is named" ;; *) expect "$1 is named" "$3" "$(last_line)" ;; esac
}
misuse early 500 'more than 32 KiB of a body that nobody can read yet'
misuse early-poll 500 'more than 32 KiB of a body that nobody can read yet'
misuse early-request 500 'more than 32 KiB of a body that nobody can read yet'
misuse no-response 500 'returned without setting a response'
misuse drop-outparam 500 'dropped its response-outparam without setting a response'
# The response was set, so its head may be out: what matters is that nobody takes the rest for whole.
cut() { # PATH REASON
    expect "$1 is cut" cut "$(curl -sf -m 120 -o /dev/null "$url/misuse/$1" && echo whole || echo cut)"
    case $(last_line) in *"$2"*) echo "ok   $1 is named" ;; *) expect "$1 is named" "$2" "$(last_line)" ;; esac
}
cut drop-body "dropped its response's body without outgoing-body.finish"
cut unfinished 'returned before it finished'
cut short 'shorter than its content-length'
cut long 'shorter than its content-length'
expect "long is named before" 1 "$(tail -n 2 "$work/log" | grep -c 'wrote more of a body than its content-length announces')"
cut no-trailers handle
cut trailers-twice handle
expect "a body is read once" 200 "$(code "$url/misuse/read-twice" -d "some input")"
cut fail-twice "dropped its response's body without outgoing-body.finish"
expect "a handle that was used up" 200 "$(code "$url/misuse/set-twice")"
case $(last_line) in *handle*) echo "ok   set-twice is named" ;; *) expect "set-twice is named" handle "$(last_line)" ;; esac
expect "a body that is finished twice" 200 "$(code "$url/misuse/finish-twice")"
case $(last_line) in *handle*) echo "ok   finish-twice is named" ;; *) expect "finish-twice is named" handle "$(last_line)" ;; esac
expect "write-zeroes takes what check-write allows" 20000 "$(curl -s -m 120 "$url/misuse/zeroes" | tr -d '\1-\377' | wc -c)"

# commands
# lists up to their limits, and beyond
taken() { curl -s -m 120 "$url/lists/$1"; }
expect "4,096 keys at once" taken "$(taken strings?4096)"
expect "4,097 keys at once" refused "$(taken strings?4097)"
expect "and it goes on, however long it computes then" refused "$(taken 'strings/?4097')"
expect "512 fields" taken "$(taken pairs?512)"
expect "513 fields end the guest" 500 "$(code "$url/lists/pairs?513")"
expect "a field of nearly 64 KiB" taken "$(taken bytes?65535)"
expect "64 KiB of fields and more end the guest" 500 "$(code "$url/lists/bytes?65536")"
expect "exceptions, collected values, tail calls and wide arithmetic" 200 "$(code "$url/proposals/")"
failing() { code "$url/failing/?$1" "${@:2}"; }
status_header() { tr -d '\r' <"$work/head" | sed -n 's/^x-exit-status: //p'; }
expect "a command that succeeds" 200 "$(failing exit=0)"
expect "its output" "before the end" "$(cat "$work/body")"
expect "has no exit status" "" "$(status_header)"
expect "and its size is known" 15 "$(tr -d '\r' <"$work/head" | sed -n 's/^content-length: //p')"
expect "a command that fails" 500 "$(failing exit=3)"
expect "its output comes" "before the end" "$(cat "$work/body")"
expect "with its status, for which the adapter has one value" 1 "$(status_header)"
expect "a command that traps" 500 "$(failing trap)"
expect "its output comes, too" "before the end" "$(cat "$work/body")"
expect "with the status of a trap" 134 "$(status_header)"
expect "much output, then failure" 500 "$(failing 'big=20&exit=1')"
expect "all of it" 20495 "$(wc -c <"$work/body")"
expect "more than is kept back" 200 "$(failing 'big=100&exit=0')"
expect "is whole" 102415 "$(wc -c <"$work/body")"
expect "more than is kept back, then failure" cut \
    "$(curl -sf -m 120 -o /dev/null "$url/failing/?big=100&exit=1" && echo whole || echo cut)"
expect "reading after printing" 200 "$(failing 'read&exit=0' -d "some input")"
expect "a command that takes too long" 504 "$(code "http://127.0.0.1:$quick/failing/?loop")"
expect "its output comes as well" "before the end" "$(cat "$work/body")"
expect "with timeout's status" 124 "$(status_header)"
[ $failed -eq 0 ] || tail -n 50 "$work/log"
exit $failed
