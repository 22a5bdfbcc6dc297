#!/usr/bin/env bash
# Requests that are encrypted to the enclave itself (docs/protocol.md): through an nginx that terminates TLS, by enclavectl and by
# a client of its own; and what somebody in between can make of it.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

start --workers 2
push echo echo
push counter counter-c
push hello hello-c
push mis misbehave
first_use

# ---- a server that terminates TLS, with a certificate of its own -----------------------------------------------------------
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/cdn.key" -out "$work/cdn.pem" -days 2 -subj /CN=cdn 2>/dev/null
cdn=$(free_port)
mkdir -p "$work/nginx"
cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log; events {}
http { access_log $work/cdn.log; client_max_body_size 8m;
       client_body_temp_path $work/nginx; proxy_temp_path $work/nginx; fastcgi_temp_path $work/nginx;
       uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
       upstream enclave { server 127.0.0.1:$port; keepalive 4; }
       server { listen 127.0.0.1:$cdn ssl; ssl_protocols TLSv1.3; ssl_certificate $work/cdn.pem; ssl_certificate_key $work/cdn.key;
                location / { proxy_pass https://enclave; proxy_ssl_protocols TLSv1.3; proxy_http_version 1.1; proxy_set_header Connection ""; }
                location = /relay { proxy_pass https://enclave/_enclave/ohttp; proxy_ssl_protocols TLSv1.3; } } }
CONF
chmod -R a+rX "$work"
/usr/sbin/nginx -c "$work/nginx.conf" 2>/dev/null &
await nginx listening_to "$cdn"
front=https://127.0.0.1:$cdn
fetch() { ctl fetch "$front$1" --policy "$policy" "${@:2}"; }

equal "$(fetch /counter/)" 1
equal "$(fetch /counter/ --relay "$front/relay")" 2
equal "$(fetch /healthz)" '{"status":"ok"}'
contains "$(fetch /_enclave/manifest)" '"format":"enclave-os-manifest/1"'
echo "a sentence that nobody in between may read" >"$work/text"
equal "$(fetch /echo/ --data "$work/text")" "$(cat "$work/text")"
equal "$(fetch /echo/ --data "$work/text" --method PUT --content-type text/plain)" "$(cat "$work/text")"
head -c 1000000 /dev/urandom >"$work/large"
fetch /echo/ --data "$work/large" >"$work/back"
check cmp "$work/large" "$work/back"
# only encrypted requests went over it, and none of the paths that were asked for but the manifest's
equal "$(grep -c '/counter/\|/echo/' "$work/cdn.log")" 0 "paths that are seen in between"
[ "$(grep -c 'POST /_enclave/ohttp ' "$work/cdn.log")" -ge 6 ] || fail "$(cat "$work/cdn.log")"
# whose enclave it is to be must be said, and a policy of another instance refuses it
equal "$(ctl fetch "$front/counter/" --allow-simulation 2>&1 >/dev/null | grep -c 'Nothing was sent')" 1
sed 's/"instance": *"[0-9a-f]*"/"instance":"'"$(printf '0%.0s' {1..64})"'"/' "$policy" >"$work/other.json"
refusal=$(ctl fetch "$front/counter/" --policy "$work/other.json" 2>&1) && fail "another instance is taken for it"
contains "$refusal" 'instance: '
# what else is judged comes through it, too: the manifest, and the history
code=$(sha256sum "$BUILD/apps/hello-c.wasm" | cut -c1-64)
equal "$(fetch /hello/ --app "hello=$code")" "Hello from C inside the enclave"
refusal=$(fetch /hello/ --app "hello=$(printf '0%.0s' {1..64})" 2>&1) && fail "other code is taken for it"
contains "$refusal" 'app: hello: '
for _ in 1 2; do equal "$(fetch /healthz --log-state "$work/log.state")" '{"status":"ok"}'; done
check test -s "$work/log.state"
# the server's answers, and what is not asked this way
says() { # WHAT PATH OPTION...
    local said
    said=$(fetch "${@:2}" 2>&1) && fail "$2: $said"
    contains "$said" "$1"
}
says 'the enclave answered 404' /nobody/
says 'the enclave answered 500' /mis/trap
says 'the enclave answered 403' /_enclave/apps
says 'the enclave answered 403' /_enclave/ohttp --method POST
says 'the enclave answered 403' /_enclave/ohttp-keys
says 'the enclave answered 401' /status
says 'the enclave answered 405' /counter/ --method TRACE

# ---- by a client that shares no code with ours ------------------------------------------------------------------------------
alone() { python3 "$here/ohttp_client.py" "$front" "$@"; }
is() { # STATUS TEXT OPTION...
    local said
    said=$(alone "${@:3}")
    equal "$(head -n 1 <<<"$said")" "$1" "$*"
    contains "$said" "$2"
}
equal "$(alone GET /counter/ | tail -n 1)" 3
equal "$(alone --cipher 3 GET /counter/ | tail -n 1)" 4
for form in known indeterminate; do
    equal "$(alone --form $form --content "hello there" --pad 100 POST /echo/ | tail -n 1)" "hello there"
done
is 200 'content-length: ' HEAD /healthz
is 400 'it does not begin' --form 05 GET /
is 400 'control data' --form 0003474554 GET /
is 400 'it is a response' --form 0140c8 GET /
is 400 'a wrong name' GET / Capital:x
is 400 'Connection: ' GET /counter/ connection:close
is 417 'Expect: ' POST /echo/ expect:100-continue
is 400 'Content-Length says' --content abc POST /echo/ content-length:4
is 200 'abc' --content abc POST /echo/ content-length:3
is 400 'a field that says one thing' GET /counter/ content-type:a content-type:b
is 400 'the path' GET counter
is 400 'the path' GET /echo/../counter/
is 431 'more fields' GET /counter/ $(printf 'a%s:b ' {1..101})
is 431 'larger ones' GET /counter/ "long:$(head -c 70000 /dev/zero | tr '\0' x)"
is 200 'nobody' GET /echo/client
is 503 'this connection has nothing' --content "$(printf '{"v":2,"mode":"challenge","leaf":"%s","context":"%s"}' \
    "$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -pubkey |
        openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | basenc --base64url | tr -d '=')" \
    "$(printf 'A%.0s' {1..43})")" POST /__privasys/attest

# nothing is done twice: the same bytes, and what is too old, too new or of no time
before=$(fetch /counter/peek)
is 200 $((before + 1)) --save "$work/sealed" POST /counter/
contains "$(alone --send "$work/sealed" POST /counter/)" "clear 200 message/ohttp-res"
equal "$(fetch /counter/peek)" $((before + 1)) "after the same bytes again"
is 400 'http-problem-types#date' --date 400 POST /counter/
is 400 'http-problem-types#date' --date -400 POST /counter/
is 400 'http-problem-types#date' --date none POST /counter/
is 400 'http-problem-types#date' --date none POST /counter/ date:yesterday
equal "$(fetch /counter/peek)" $((before + 1)) "after what has no time"
is 200 $((before + 2)) --date -200 POST /counter/
is 200 $((before + 2)) --date none GET /counter/peek

# ---- what is no encrypted request, in the clear -------------------------------------------------------------------------
clear() { # STATUS WHAT curl's...
    equal "$(get /_enclave/ohttp -o "$work/why" -w '%{http_code}' "${@:3}")" "$1" "$2"
    contains "$(cat "$work/why")" "$2"
}
req='content-type: message/ohttp-req'
clear 415 'message/ohttp-req' --data-binary x
clear 405 'Allow' -H "$req"
clear 400 '#ohttp-key' -H "$req" --data-binary x
head -c 2000 /dev/zero >"$work/zeroes"
clear 400 'for another kind of key' -H "$req" --data-binary "@$work/zeroes"
contains "$(alone --key-id $((($(get /_enclave/ohttp-keys | od -An -tu1 -j2 -N1) + 1) % 256)) GET /)" \
    'clear 400 application/problem+json {"type":"https://iana.org/assignments/http-problem-types#ohttp-key"'
head -c 1048577 /dev/zero >"$work/long"
clear 413 'so long' -H "$req" --data-binary "@$work/long"
clear 413 'so long' -H "$req" -H 'transfer-encoding: chunked' --data-binary "@$work/long"
equal "$(get /_enclave/ohttp-keys -o /dev/null -w '%{content_type}')" application/ohttp-keys
equal "$(status /_enclave/ohttp-keys -X POST)" 405

# ---- somebody in between who does more than pass it on ------------------------------------------------------------------
enclave_port=$port
enclave=$server
enclave_policy=$policy
port=$(free_port) policy=$work/strangers.json
home() { # PORT SERVER POLICY: whose turn it is
    port=$1 server=$2 policy=$3 url=https://127.0.0.1:$1
    to=(--url "$url" --admin-key "$admin" --policy "$policy")
}
home "$port" '' "$policy"
start --data "$work/strangers" --sim-dir "$work/sim" --drain-timeout 3000 # the genuine image, and a stranger's
stranger=$server stranger_port=$port stranger_policy=$policy
push mis misbehave
home $enclave_port $enclave "$enclave_policy"
between=$(free_port)
echo pass >"$work/mode"
python3 "$here/ohttp_between.py" "$between" "$port" "$stranger_port" "$work/mode" "$work/between.log" "$work/cdn.pem" "$work/cdn.key" 2>/dev/null &
await "who is in between" listening_to "$between"
front=https://127.0.0.1:$between
mode() { echo "$1" >"$work/mode"; }
equal "$(fetch /hello/)" "Hello from C inside the enclave"
equal "$(fetch /echo/ --data "$work/text")" "$(cat "$work/text")"
grep -aq "POST /_enclave/ohttp" "$work/between.log" || fail "nothing went over it"
! grep -aq "nobody in between" "$work/between.log" || fail "it was seen in between"
for how in swapped mixed; do
    mode $how
    says "the certificate's key has not signed it" /hello/
done
mode other
says "instance: " /hello/
mode pass
before=$(fetch /counter/peek)
mode twice
says 'the enclave answered 409' /counter/ --method POST
mode pass
equal "$(fetch /counter/peek)" $((before + 1)) "after it was sent twice"
for how in half bent; do
    mode $how
    says 'the enclave does not know the key' /hello/
done
for how in half-answer bent-answer other-answer; do
    mode $how
    says "is not the enclave's answer to this request" /hello/
done
mode pass
equal "$(fetch /hello/)" "Hello from C inside the enclave"

# ---- generations: the one before answers by its own key until its time is over ------------------------------------------
old_is() { equal "$(fetch /hello/)" "$1" "by the key of before"; }
push hello echo # and connections of before have a minute
mode old
old_is "Hello from C inside the enclave"
mode pass
equal "$(fetch /hello/)" ""
fetch /mis/loop >"$work/looping" 2>&1 &
looping=$!
running() { ctl get /metrics "${to[@]}" | grep -q '"requests_running":1'; }
await "a guest that loops" running
ctl app rm mis "${to[@]}" --now >/dev/null
wait $looping && fail "what was removed answered"
contains "$(cat "$work/looping")" 'the connection broke' # which was of the same generation
mode old
says 'the enclave does not know the key that was shown for it' /hello/
mode old-once
equal "$(fetch /hello/)" ""
equal "$(cat "$work/mode")" pass

# what runs by the key of before when that time is over is ended, though what carries it is not of before
home $stranger_port $stranger "$stranger_policy"
between=$(free_port)
python3 "$here/ohttp_between.py" "$between" "$port" "$port" "$work/mode" "$work/between.log" "$work/cdn.pem" "$work/cdn.key" 2>/dev/null &
await "who is in between" listening_to "$between"
front=https://127.0.0.1:$between
mode pass
says 'the enclave answered 500' /mis/trap
push hello hello-c
mode old
contains "$(fetch /mis/loop 2>&1 || true)" 'what this was encrypted to is served no more'
home $enclave_port $enclave "$enclave_policy"

# ---- many, who never end what they begin ----------------------------------------------------------------------------------
cat >"$work/slow.py" <<'PYTHON'
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
head = b"POST /_enclave/ohttp HTTP/1.1\r\nHost: localhost\r\nContent-Type: message/ohttp-req\r\nContent-Length: 1000000\r\n\r\n"
held = []
for _ in range(40):
    held.append(context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])))))
    held[-1].settimeout(2)
    try:
        held[-1].sendall(head + bytes(900000))
    except (socket.timeout, OSError):
        pass
print("held", flush=True)
sys.stdin.read()
PYTHON
mkfifo "$work/until"
python3 "$work/slow.py" "$port" <"$work/until" >"$work/slow" &
exec 7>"$work/until"
await "40 requests without an end" grep -q held "$work/slow"
front=https://127.0.0.1:$cdn
equal "$(fetch /echo/ --data "$work/text")" "$(cat "$work/text")"
exec 7>&-
whole() { fetch /echo/ --data "$work/large" >"$work/back" && cmp "$work/large" "$work/back"; }
await "what they held" whole

kill -TERM "$stranger"
wait "$stranger" || fail "it ended with $?"
stop
