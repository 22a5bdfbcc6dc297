#!/usr/bin/env bash
# Interim responses wait for their client as bodies do: one that reads gets all of them, and of those that do not read a few
# are kept, whatever a guest sends.
. "$(dirname "$0")/lib.sh"
check start --workers 1
push interim interim
metrics() { ctl get /metrics "${to[@]}"; }
number() { grep -o "\"$1\":[0-9]*" <<<"$2" | head -1 | cut -d: -f2; }
# curl takes 300 KB of them at most
equal "$(get /interim/4 -D - -o /dev/null | grep -c "^HTTP/1.1 103")" 4 "interim responses to who reads"
contains "$(get /interim/3)" "done"
# Of their fields none says that a body follows; the answer's do.
get /interim/4 -D "$work/heads" -o /dev/null
framed() { awk -v head="HTTP/1.1 $1" 'index($0, "HTTP/1.1 ") == 1 {on = index($0, head) == 1} on' "$work/heads" | grep -ciE '^(content-length|transfer-encoding):' || true; }
equal "$(framed 103)" 0 "fields in interim responses that frame a body: $(cat "$work/heads")"
equal "$(framed 200)" 1 "fields in the answer that frame its body: $(cat "$work/heads")"
before=$(metrics)
mkfifo "$work/leave"
"$BUILD/bin/crowd_client" "$port" 8 /interim/20000 <"$work/leave" >"$work/crowd" &
client=$!
exec 7>"$work/leave"
until grep -q ready "$work/crowd"; do kill -0 $client || fail "the client ended"; sleep 0.1; done
# What they hold stops growing: seen when it is the same for a while.
same=0 last=
for _ in $(seq 600); do
    during=$(metrics)
    held=$(number guest_memory_bytes "$during")/$(number connection_memory_bytes "$during")
    [ "$held" = "$last" ] && same=$((same + 1)) || same=0
    last=$held
    [ $same -lt 5 ] || break
    sleep 0.1
done
[ $same -ge 5 ] || fail "it goes on: $during"
[ "$(number guest_memory_bytes "$during")" -gt 0 ] || fail "no guest waits: $during"
grown=$((($(number heap_pages_used "$during") - $(number heap_pages_used "$before")) * 4096))
[ $grown -le $((48 << 20)) ] || fail "the heap grew by $((grown >> 20)) MiB"
exec 7>&-
wait $client
equal "$(get /interim/1)" "done" "afterwards"
check stop
