#!/usr/bin/env bash
# Clients that end their side while an app has not answered yet. The end of the stream is the client's, with a close_notify or
# without: its request is let go, whatever the app is at. A close_notify alone says that no more comes: the answer does.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upstream.sh"
HOST=$BUILD/bin/lying_store
export HOLD=$work/hold TO
check start --workers 2 --request-timeout 3600000 # none of them ends by itself
leaf good DNS:localhost 10
upstream good
TO=localhost:$up
push waits waits
push spin misbehave
push count counter-c
push gate gateway-c
allow gate "\"$TO\""
ctl egress-ca set "$work/ca.pem" "${to[@]}" >/dev/null

running() { ctl get /metrics "${to[@]}" | python3 -c 'import json, sys
print(sum(app["requests_running"] for app in json.load(sys.stdin)["apps"].values()))'; }
are_running() { [ "$(running)" -ge "$1" ]; }
none_runs() { [ "$(running)" = 0 ]; }
store_answers() { get /count/ >/dev/null; }
ask_and_end() { # KIND RUNNING PATH...: they end their side when so many run; what they say then comes in $work/said
    local from
    mkfifo "$work/go"
    python3 "$SOURCE/tests/e2e/gone.py" "$port" "$1" "${@:3}" <"$work/go" >"$work/said" &
    client=$!
    exec {from}>"$work/go"
    await "$1: requests" grep -q asked "$work/said"
    await "$1: guests" are_running "$2"
    echo >&"$from"
    exec {from}>&-
    rm "$work/go"
}
answers_are() { # KIND ANSWERS
    wait "$client" || fail "$1: the clients ended with $?"
    equal "$(tail -n +2 "$work/said")" "$2" "$1"
}

# its app waits for the time, for more of the request, for another server, for the store, or computes
everywhere=(/waits/sleep +/waits/read /gate/never /count/ /spin/loop)
for kind in fin close reset notify-fin notify-close; do
    touch "$HOLD"
    ask_and_end $kind 5 "${everywhere[@]}"
    await "$kind: the end of the guests" none_runs
    case $kind in *fin) answers_are $kind "$(printf '%s none\n' "${everywhere[@]}")" ;; *) answers_are $kind "" ;; esac
    rm "$HOLD"
    await "$kind: an answer of the store" store_answers
done

# who has said only that no more comes reads the answer, or why there is none
for kind in notify notify-more; do
    touch "$HOLD"
    ask_and_end $kind 2 /waits/nap +/waits/read /gate/slow-head /count/
    rm "$HOLD"
    answers_are $kind $'/waits/nap 200\n+/waits/read 400\n/gate/slow-head 200\n/count/ 200'
done
await "the end of all guests" metric_is guest_memory_bytes 0
check stop
