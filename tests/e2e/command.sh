#!/usr/bin/env bash
# A component with wasi:cli/run instead of a handler answers requests: the body on stdin, the answer from stdout.
. "$(dirname "$0")/lib.sh"
set_to() { printf '%s' "$2" >"$work/settings"; ctl app settings "$1" "$work/settings" "${@:3}" --url "$url" --admin-key "$admin" --allow-simulation; }

check start
push sum sum-c
equal "$(get /sum/ -d '1 2.5 -4')" -0.5
equal "$(get /sum/ -X GET)" 0 "no body"
equal "$(seq 200000 | get /sum/ --data-binary @-)" 20000100000 "a large body"
equal "$(curl -sk -o /dev/null -D - "$url/sum/" | tr -d '\r' | grep -i '^content-type:')" "content-type: text/plain; charset=utf-8"
equal "$(status /sum/ -d 'one')" 500 "a command that fails before it says anything"
contains "$(cat "$work/server.log")" "app sum: sum: not a number"
# what it was asked is in its environment, beside what the operator set; an argument makes it say so
check set_to sum '{"arguments":["-v"],"environment":{"GREETING":"hello"}}' >/dev/null
equal "$(get '/sum/a%2Fb?q=1' -d 1 -H 'Greeting: no' -H 'Proxy: evil')" "$(printf 'POST /a/b q=1 hello\n1')"
# state in its own root, from one request to the next and after a restart
check set_to sum '{"arguments":["-k"]}' >/dev/null
equal "$(get /sum/ -d 2)" 2
equal "$(get /sum/ -d 3)" 5
check stop
check start
equal "$(get /sum/ -d 4)" 9 "after a restart"
# one that waits for a body that does not come stops no other
calls=$(metric wasm_calls_total)
talk send 'POST /sum/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1' await "$work/asked" >"$work/slow" &
slow=$!
await "the command that waits for its body" metric_reaches wasm_calls_total $((calls + 1))
equal "$(get /sum/ -d 1)" 10
[ ! -s "$work/slow" ] || fail "an answer without a body: $(cat "$work/slow")"
touch "$work/asked"
wait $slow
check stop
# and is ended at its deadline
check start --request-timeout 500
contains "$(talk send 'POST /sum/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1' until '\n')" " 504 "
check stop
