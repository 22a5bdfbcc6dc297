#!/usr/bin/env bash
# A witness behind TLS: litewitness with nginx in front, under a path of its own. Whose certificate that has, and how the
# connection ends, decides about nothing but whether there is an answer: what counts is the witness's signature in it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"

front_port=$(free_port)
front=
certificate() { # NAME SUBJECT DAYS
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" -out "$work/$1.crt" \
        -subj "/CN=$2" -addext "subjectAltName=DNS:$2" -days "$3" 2>/dev/null
}
nginx_begin() { # CERTIFICATE
    mkdir -p "$work/nginx"
    cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log; events {}
http { access_log $work/nginx/access.log; client_body_temp_path $work/nginx; proxy_temp_path $work/nginx;
       fastcgi_temp_path $work/nginx; uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
       server { listen 127.0.0.1:$front_port ssl; ssl_certificate $work/$1.crt; ssl_certificate_key $work/$1.key;
                location /witness/1/ { proxy_pass http://127.0.0.1:${witness_port[w1]}/; } } }
CONF
    : >"$work/nginx/access.log"
    /usr/sbin/nginx -c "$work/nginx.conf" 2>/dev/null &
    front=$!
    await nginx listening_to "$front_port"
}
liar_begin() { # MODE: a front that lies, with a certificate of its own
    echo "$1" >"$work/witness-w1/mode"
    : >"$work/witness-w1/asked"
    python3 "$SOURCE/tests/e2e/lying_witness.py" "$front_port" "${witness_port[w1]}" "$work/witness-w1/mode" \
        "$work/witness-w1/asked" "$work/other.crt" "$work/other.key" &
    front=$!
    await "the front that lies" listening_to "$front_port"
}
front_end() { kill -TERM "$front"; wait "$front" 2>/dev/null || true; }

certificate first witness.example 30
certificate other elsewhere.example 30
witness_start w1
witness_at[w1]=https://127.0.0.1:$front_port/witness/1
nginx_begin first
more=(--witness-seconds 86400) # nothing comes by the clock
first_boot w1
contains "$(get /_enclave/log/checkpoint)" "— w1.example "
contains "$(get /_enclave/manifest)" "$(printf 'https://127.0.0.1:%s/witness/1' "$front_port" | od -An -tx1 | tr -d ' \n')"
contains "$(cat "$work/nginx/access.log")" "POST /witness/1/add-checkpoint"
contains "$(ctl app push counter "$BUILD/apps/counter-c.wasm" "${to[@]}" --json)" '"witnessed":1'
equal "$(count)" 1

# ---- another certificate: of another name and key -------------------------------------------------------------------
front_end
nginx_begin other
contains "$(ctl app push hello "$BUILD/apps/hello-c.wasm" "${to[@]}" --json)" '"witnessed":1'
grep -q "POST /witness/1/add-checkpoint.* 200 " "$work/nginx/access.log" || fail "nginx has not forwarded it"
check stop
launch
await "a start with another certificate" ready
equal "$(count)" 2

# ---- while it runs: a change waits until there is an answer, what is served goes on -----------------------------------
for mode in cut half garbage forge replay; do
    front_end
    liar_begin $mode
    ctl app push hello "$BUILD/apps/hello-c.wasm" "${to[@]}" --json >"$work/pushed" 2>&1 &
    pushing=$!
    await "a question: $mode" grep -q "^$mode" "$work/witness-w1/asked"
    await "what is said of it: $mode" logged "witness w1 [dg].* is asked again"
    kill -0 $pushing || fail "$mode: the push has an answer: $(cat "$work/pushed")"
    equal "$(status /hello/)" 200 "$mode: others"
    : >"$work/server.log"
    front_end
    nginx_begin first
    wait $pushing || fail "$mode: the push, when the witness could be reached again: $(cat "$work/pushed")"
    contains "$(cat "$work/pushed")" '"witnessed":1'
done
equal "$(count)" 3

# ---- a start: nobody is served without one -----------------------------------------------------------------------------
check stop
front_end
for mode in nobody plain cut half; do
    case $mode in
    nobody) front= word="nobody listens there" ;;
    plain) socat "TCP-LISTEN:$front_port,fork,reuseaddr,bind=127.0.0.1" "SYSTEM:echo no TLS" & front=$! word="TLS fails" ;;
    *) liar_begin $mode; word="witness w1 does not answer" ;;
    esac
    [ $mode != plain ] || await "the plain front" listening_to "$front_port"
    launch
    await "what is said of it: $mode" logged "$word"
    ! ready || fail "$mode: it is served"
    ! status /healthz >/dev/null || fail "$mode: it answers"
    [ -z "$front" ] || front_end
    nginx_begin first
    await "the witness: $mode" ready
    check stop
    front_end
done
nginx_begin first
launch
await "a start" ready
equal "$(count)" 4
check stop
front_end
