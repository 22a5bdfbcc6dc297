#!/usr/bin/env bash
# Connections of apps to servers elsewhere are kept for the next request: many requests take a few of them. Each app has
# its own, and what a server says without being asked is nobody's answer.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upstream.sh"
terminated=7

leaf good "DNS:localhost,IP:127.0.0.1" 10
check start --workers 2
ctl egress-ca set "$work/ca.pem" "${to[@]}" >/dev/null
push gate gateway-c
push other gateway-c
upstream good
web=$(free_port)
mkdir -p "$work/www" "$work/nginx"
echo small >"$work/www/file"
cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log; events {}
http { log_format ports '\$remote_port \$connection_requests \$status'; access_log $work/ports.log ports; keepalive_requests 100000;
       client_body_temp_path $work/nginx; proxy_temp_path $work/nginx; fastcgi_temp_path $work/nginx;
       uwsgi_temp_path $work/nginx; scgi_temp_path $work/nginx;
       server { listen 127.0.0.1:$web ssl; ssl_certificate $work/good.pem; ssl_certificate_key $work/good.key; root $work/www; } }
CONF
chmod -R a+rX "$work"
/usr/sbin/nginx -c "$work/nginx.conf" 2>/dev/null &
await nginx listening_to "$web"
hosts="\"localhost:$up\",\"127.0.0.1:$up\",\"localhost:$web\""
allow gate "$hosts"
allow other "$hosts"
via() { get "/gate$1" -H "x-to: localhost:$up" "${@:2}"; }
elsewhere() { get "/other$1" -H "x-to: localhost:$up" "${@:2}"; }

# as many requests as there are ports to choose from, nearly: in four queues, which no more connections are needed for
queue() { ask -H "x-to: localhost:$web" -o /dev/null -w '%{http_code}\n' "$url/gate/file?[1-2500]" >"$work/queue.$1"; }
queues=()
for i in 1 2 3 4; do queue $i & queues+=($!); done
wait "${queues[@]}"
equal "$(cat "$work"/queue.* | sort | uniq -c | tr -s ' ')" " 10000 200"
equal "$(grep -c ' 200$' "$work/ports.log")" 10000 "requests at the server"
ports=$(cut -d' ' -f1 "$work/ports.log" | sort -u | wc -l)
[ "$ports" -le 40 ] || fail "10,000 requests took $ports connections"
echo "10,000 requests took $ports connections"
[ "$(metric outgoing_reused_total)" -ge 9960 ] || fail "reused: $(metric outgoing_reused_total)"
[ "$(metric outgoing_connections_total)" -le 40 ] || fail "connections: $(metric outgoing_connections_total)"

# what goes over one of ours came from this app: whichever of both asked before, and by whichever name
for _ in 1 2 3 4 5; do
    via /connection -H 'x-test: gate' >>"$work/of-gate"
    elsewhere /connection -H 'x-test: other' >>"$work/of-other"
    get /gate/connection -H "x-to: 127.0.0.1:$up" -H 'x-test: by-address' >>"$work/of-address"
done
! grep -v ' gate$' "$work/of-gate" && ! grep -v ' other$' "$work/of-other" && ! grep -v ' by-address$' "$work/of-address" ||
    fail "connections of two: $(cat "$work"/of-*)"
again() { [ "$(via /connection "$@" | cut -d' ' -f2)" -ge 2 ]; } # a request that is not the first on its connection
await "a connection that is used again" again
await "one for a request with a body" again -d body

# responses with something behind them, at once and later
anew() { equal "$(via /connection | cut -d' ' -f2)" 1 "requests on the connection behind $1"; }
for path in /smuggle /announce; do
    for _ in 1 2 3; do equal "$(via $path)" ok "$path"; done
    equal "$(via /bytes/5)" 01234 "behind $path"
done
equal "$(via /later)" ok
said() { ask "https://localhost:$up/seen" | grep -q "('/later', 'said')"; } # over a connection of its own
await "words that nobody asked for" said
for _ in 1 2 3 4 5 6; do equal "$(via /bytes/5)" 01234 "behind /later"; done

# it ends without a word; or with the next request, which is sent again only if it may be
for _ in 1 2 3; do
    equal "$(via /hang-up)" ok
    equal "$(via /bytes/5)" 01234 "behind /hang-up"
done
port_of() { via /connection | cut -d' ' -f1; }
settings=0
fresh() { settings=$((settings + 1)); allow gate "$hosts,\"settings-$settings.example\""; } # no connection is left
fresh
anew "other settings"
fresh
for _ in 1 2; do equal "$(via /deaf)" ok; done # of either worker, perhaps
equal "$(via /bytes/6)" 012345 "what may be sent twice"
fresh
equal "$(via /deaf)" ok
until [ "$(via /bytes/7 -d once)" = "error $terminated" ]; do # until it comes to the worker that has it
    hits=$(via /hits/bytes/7)
    fresh
    equal "$(via /deaf)" ok
done
equal "$(via /hits/bytes/7)" $((${hits:-0} + 1)) "what may be sent once"

# all of it comes back, and nothing keeps the server from its end
await "the end of all that waits" metric_is outgoing_kept 0
await "what it took" metric_is guest_memory_bytes 0
via /connection >/dev/null
check stop
