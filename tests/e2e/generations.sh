#!/usr/bin/env bash
# What is attested is what answers: a push without a quote changes nothing; connections are answered by what their
# handshake showed; numbers rise, also where code comes back, and stay over a restart that serves the same; the manifest
# and each proof lead to the certificate's root; and under load no request fails because of a push.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_quotes
export LIE=$work/lie
hello="v=$BUILD/apps/hello-c.wasm:Hello" echo="v=$BUILD/apps/echo.wasm:ping"
client() { python3 "$(dirname "$0")/generations.py" "$port" "$@"; }
number() { client show | cut -d' ' -f1; } # of a new connection
told() { grep -o '"generation":[0-9]*' | cut -d: -f2; }

check start
push v hello-c
first=$(client show) || fail "manifest or proofs"
one=${first% *}
equal "$one" 2 "the first push's number"

# no quote, or a forged one: nothing has changed, and the same push works afterwards
for lie in refuse forge; do
    echo $lie >"$LIE"
    push v echo 2>"$work/why" && fail "$lie: a push without a quote was accepted"
    contains "$(cat "$work/why")" "nothing was changed"
    equal "$(client show)" "$first" "$lie: what is served"
    contains "$(get /v/ -d ping)" Hello
    rm "$LIE"
done
# old connections: held by a request that has begun
mkfifo "$work/go"
client hold "$hello" "$echo" <"$work/go" >"$work/held" &
holder=$!
exec 7>"$work/go"
await "the request" grep -q held "$work/held"
check push v echo
second=$(client show) || fail "manifest or proofs"
equal "${second% *}" $((one + 1)) "the number of the push that was repeated"
equal "$(get /v/ -d ping)" ping "a new connection"
echo go >&7
exec 7>&-
wait $holder || fail "the old connection"
equal "$(tail -n 1 "$work/held")" "$one close Hello from C inside the enclave" "the old connection"

# there and back: two numbers, and what they stand for is told apart
check push v hello-c
third=$(client show)
equal "${third% *}" $((one + 2)) "back again"
[ "${third#* }" != "${first#* }" ] || fail "two generations have one root"
for path in /readyz /metrics; do equal "$(ctl get $path "${to[@]}" | told)" $((one + 2)) $path; done
equal "$(ctl get /status "${to[@]}" | told)" $((one + 2)) /status
printf '{"config":{"a":"b"}}' >"$work/settings"
check ctl app settings v "$work/settings" "${to[@]}" >/dev/null
check ctl app rm v "${to[@]}" >/dev/null
equal "$(number)" $((one + 4)) "settings, and a removal"
equal "$(status /v/)" 404

# a boot that serves the same is the same; other limits are another
check push v hello-c
before=$(client show)
check stop
check start
equal "$(client show)" "$before" "after a restart"
check stop
check start --max-headers 50
equal "$(number)" $((one + 6)) "other limits"
check stop
check start --max-headers 50 --workers 2
equal "$(number)" $((one + 6)) "the same limits again"

# under load
client load 6 "$work/stop" "$hello" "$echo" >"$work/load" &
loader=$!
for i in $(seq 10); do
    check push v echo
    check push v hello-c
done
touch "$work/stop"
wait $loader || fail "the load: $(cat "$work/load")"
read -r answers numbers again <"$work/load"
[ "$numbers" -ge 3 ] && [ "$answers" -ge "$numbers" ] || fail "no load: $answers answers of $numbers generations"
equal "$(number)" $((one + 26)) "after twenty pushes"
echo "$answers answers of $numbers generations during twenty pushes, none failed; $again idle connections were closed"
check stop
