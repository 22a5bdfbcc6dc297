#!/usr/bin/env bash
# A component with wasi:cli/run instead of a handler answers requests: the body on stdin, the answer from stdout.
. "$(dirname "$0")/lib.sh"
set_to() { printf '%s' "$2" >"$work/settings"; ctl app settings "$1" "$work/settings" "${@:3}" --url "$url" --admin-key "$admin" --allow-simulation; }

check start --request-timeout 3000
push sum sum-c
equal "$(get /sum/ -d '1 2.5 -4')" -0.5
equal "$(get /sum/ -X GET)" 0 "no body"
equal "$(seq 200000 | get /sum/ --data-binary @-)" 20000100000 "a large body"
equal "$(curl -sk -o /dev/null -D - "$url/sum/" | tr -d '\r' | grep -i '^content-type:')" "content-type: text/plain; charset=utf-8"
equal "$(status /sum/ -d 'one')" 500 "a command that fails before it says anything"
contains "$(cat "$work/server.log")" "app sum: sum: not a number"
# what it was asked is in its environment, beside what the operator set; an argument makes it say so
check set_to sum '{"arguments":["-v"],"environment":{"GREETING":"hello"}}' >/dev/null
equal "$(get '/sum/a%2Fb?q=1' -d 1 -H 'Greeting: no' -H 'Proxy: evil')" "$(printf 'POST /a%%2Fb q=1 hello\n1')"
# state in its own root, from one request to the next and after a restart
check set_to sum '{"arguments":["-k"]}' >/dev/null
equal "$(get /sum/ -d 2)" 2
equal "$(get /sum/ -d 3)" 5
check stop
check start --request-timeout 3000
equal "$(get /sum/ -d 4)" 9 "after a restart"
# one that waits for a body that does not come is ended at its deadline, and another answers meanwhile
(printf 'POST /sum/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1'; sleep 8) |
    timeout 12 openssl s_client -quiet -connect "127.0.0.1:$port" 2>/dev/null >"$work/slow" &
slow=$!
sleep 0.3
equal "$(get /sum/ -d 1)" 10
wait $slow || true
contains "$(head -n 1 "$work/slow")" " 504 "
check stop
