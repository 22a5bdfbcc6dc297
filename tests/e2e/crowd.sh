#!/usr/bin/env bash
# What strangers can make the enclave hold. One connection holds no more than CONNECTION_MEMORY_MAX (enclave/ratls/limits.h)
# whatever is sent or left unread, and no more than CONNECTION_IDLE_MAX when it is idle. More of them than fit are cut, those
# without progress for the longest time first: who is served meanwhile never is, the administrator finds room, and all of it
# comes back.
# CROWD=N: so many connections at their worst (default 2,600, which is more than fit; by hand up to 16,384).
. "$(dirname "$0")/lib.sh"
bound=$((256 * 1024)) idle_bound=$((14 * 1024)) many=${CROWD:-2600}
check start --workers 2
push hello hello-c
push echo echo
metrics() { ctl get /metrics "${to[@]}"; }
number() { grep -o "\"$1\":[0-9]*" <<<"$2" | cut -d: -f2; }
# crowd N STATE...: so many connections in these states, until leave
crowd() {
    rm -f "$work/leave" "$work/crowd" # what the one before has said is not this one's
    mkfifo "$work/leave"
    "$BUILD/bin/crowd_client" "$port" "$@" <"$work/leave" >"$work/crowd" 7>&- &
    client=$!
    exec 7>"$work/leave"
    until grep -qs ready "$work/crowd"; do kill -0 $client || fail "the crowd's client ended"; sleep 0.1; done
}
leave() { exec 7>&-; wait $client; lost=$(sed -n 's/^lost //p' "$work/crowd"); }
back_to_nothing() {
    for _ in $(seq 600); do
        after=$(metrics)
        [ "$(number connections "$after")" -le 1 ] && return
        sleep 0.1
    done
    fail "connections are left: $after"
}

alone=$(metrics)
for state in open hello tiny idle record head trailer chunk unread; do
    crowd 60 $state
    seen=$(metrics)
    [ "$(number connection_memory_bytes "$seen")" -le $((61 * bound)) ] || fail "$state takes more than the bound: $seen"
    equal "$(number connections_cut_total "$seen")" 0 "connections cut for want of memory"
    each=$((($(number connection_memory_bytes "$seen") - $(number connection_memory_bytes "$alone")) / 60))
    echo "$state: $each bytes each"
    [ $state != idle ] || { [ $each -gt 0 ] && [ $each -le $idle_bound ]; } || fail "an idle connection holds $each bytes"
    leave
    [ $state = hello ] || [ $state = tiny ] || equal "$lost" 0 "connections of state $state that were ended"
    back_to_nothing
done

# One client asks and asks, on one connection; it says how often it was answered, or that it was cut.
python3 - "$port" "$work/stop" >"$work/served" 7>&- <<'PYTHON' &
import os, socket, ssl, sys
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
connection = tls.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
count = 0
while not os.path.exists(sys.argv[2]):
    connection.sendall(b"GET /hello/ HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = b""
    while not (b"Hello from C inside the enclave\n" in answer and
               (b"content-length:" in answer or answer.endswith(b"0\r\n\r\n"))):
        piece = connection.recv(4096)
        if not piece:
            sys.exit(f"cut after {count} answers, with {answer}")
        answer += piece
    count += 1
print(count)
PYTHON
served=$!
before=$(metrics)
crowd $many head
during=$(metrics) # the administrator's connection is a new one
limit=$(number connection_memory_limit_bytes "$during")
[ "$(number connections_cut_total "$during")" -gt 0 ] || fail "nothing was cut: $during"
[ "$(number connection_memory_bytes "$during")" -le "$limit" ] || fail "they hold more than they may: $during"
grown=$(((($(number heap_pages_used "$during") - $(number heap_pages_used "$before"))) * 4096))
[ $grown -le $((limit + (64 << 20))) ] || fail "the heap grew by $((grown >> 20)) MiB"
equal "$(status /healthz)" 200 "beside the crowd"
equal "$(get /hello/)" "Hello from C inside the enclave" "an app beside the crowd"
touch "$work/stop"
wait $served || fail "who was served was cut: $(cat "$work/served")"
[ "$(cat "$work/served")" -gt 0 ] || fail "nobody was served"
check push more hello-c # beside the crowd; it ends the connections of the generation before, so the client above has gone
leave
[ "$lost" -gt 0 ] || fail "none of the crowd's was ended"
back_to_nothing
echo "$many connections at their worst: $lost cut, $(cat "$work/served") answers for another, the heap grew by $((grown >> 20)) MiB"
check stop
