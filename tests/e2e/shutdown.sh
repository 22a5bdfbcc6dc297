#!/usr/bin/env bash
# SIGTERM lets requests that are under way end, and deployments survive replacement, removal and restarts.
. "$(dirname "$0")/lib.sh"

check start
push app hello-c
push app echo # replaces it
push gone hello-c
ctl app rm gone --url "$url" --admin-key "$admin" --allow-simulation >/dev/null
head -c 3000000 /dev/urandom >"$work/body"
records=$("$BUILD/bin/lmdb_tool" "$work/data" count)
check stop
check start
equal "$(get /app/ -d "still here")" "still here" "the replaced app after a restart"
equal "$(status /gone/)" 404 "the removed app after a restart"
push app hello-c
push app echo
equal "$("$BUILD/bin/lmdb_tool" "$work/data" count)" "$records" "records after replacing an app twice: old artefacts must go"

# a download that takes about a second when SIGTERM comes
get /app/ --data-binary "@$work/body" --limit-rate 2000k -o "$work/back" &
client=$!
sleep 0.4
stop
wait $client || fail "the client was cut off by SIGTERM"
cmp "$work/body" "$work/back" || fail "the answer under way at SIGTERM is incomplete"

# kill -9 while a component is being deployed: before or after, never in between
for delay in 0.01 0.03 0.05 0.1; do
    check start
    ctl app push app "$BUILD/apps/hello-c.wasm" --url "$url" --admin-key "$admin" --allow-simulation >/dev/null 2>&1 &
    pusher=$!
    sleep $delay
    crash
    wait $pusher 2>/dev/null || true
    check start
    answer=$(get /app/ -d x)
    [ "$answer" = x ] || contains "$answer" Hello
    push app echo
    check stop
done
check start # removes what the cut-off deployments left
check stop
equal "$("$BUILD/bin/lmdb_tool" "$work/data" count)" "$records" "records left over by cut-off deployments"
