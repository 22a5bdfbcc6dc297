#!/usr/bin/env bash
# A component with wasi:cli/run instead of a handler answers requests: the body on stdin, the answer from stdout.
. "$(dirname "$0")/lib.sh"
set_to() { printf '%s' "$2" >"$work/settings"; ctl app settings "$1" "$work/settings" "${@:3}" "${to[@]}"; }

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
# what it complains about reaches the log whole
push failing failing
equal "$(status '/failing/?long&exit=1')" 500 "a command that fails with a long reason"
contains "$(cat "$work/server.log")" "000 is why"
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

# the environment is the server's to say (RFC 3875): no spelling of a field's name is taken for a variable of its own
push environment environment
environment=$(get '/environment/a%20b/%C3%A9?q=%20' -d x=1 -H 'x_enclave_client: mrenclave=FORGED' -H 'X-Enclave-Client: FORGED' \
    -H 'x_forwarded_prefix: /evil' -H 'content_length: 99' -H 'Proxy: evil' -H 'Accept: a' -H 'Accept: b' -H 'Cookie: c=1' \
    -H 'Cookie: d=2' -H 'Connection: close, X-Hop' -H 'X-Hop: gone' -H 'Keep-Alive: gone' -H 'TE: trailers' -H 'a.b: gone' -H 'Host: h.example:81')
for line in GATEWAY_INTERFACE=CGI/1.1 SERVER_SOFTWARE=enclave-os SERVER_PROTOCOL=HTTP/1.1 REQUEST_METHOD=POST SCRIPT_NAME=/environment \
    'PATH_INFO=/a b/é' 'QUERY_STRING=q=%20' SERVER_NAME=h.example SERVER_PORT=81 REMOTE_ADDR=127.0.0.1 CONTENT_LENGTH=3 \
    CONTENT_TYPE=application/x-www-form-urlencoded HTTP_HOST=h.example:81 'HTTP_ACCEPT=a, b' 'HTTP_COOKIE=c=1; d=2' HTTPS=on \
    HTTP_X_FORWARDED_PREFIX=/environment; do
    equal "$(grep -c "^${line%%=*}=" <<<"$environment")" 1 "${line%%=*}"
    equal "$(grep "^${line%%=*}=" <<<"$environment")" "$line"
done
equal "$(grep -E 'FORGED|evil|gone|^(HTTP_(CONNECTION|TE|PROXY|CONTENT_LENGTH|CONTENT_TYPE)|AUTH_TYPE)=' <<<"$environment" || true)" ""
# the target's authority counts, and no other name is to be found (RFC 9112, section 3.2.2)
answer=$(get /environment/ --request-target http://target.example/environment/ -H 'Host: other.example')
contains "$answer" "HTTP_HOST=target.example"
contains "$answer" "SERVER_NAME=target.example"
# an answer whose end comes soon enough says how long it is, up to 64 KiB
long=$(head -c 30000 /dev/zero | tr '\0' a)
answer=$(curl -sk -D - "$url/environment/" -H "X-Long: $long" | tr -d '\r')
contains "$answer" "content-length: 3"
contains "$answer" "HTTP_X_LONG=$long"
equal "$(status /environment/%FF)" 400 "a path that is no text"
check stop
# one that waits for a body is ended at its deadline
check start --request-timeout 500
contains "$(talk send 'POST /sum/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1' until '\n')" " 504 "
check stop
