#!/usr/bin/env bash
# While a large component is compiled: other apps answer, the changes that come meanwhile wait for their turn, and a server that is
# told to stop does not wait: whoever waits is told that nothing was changed, and after a restart nothing is.
. "$(dirname "$0")/lib.sh"
large=notes-python
[ -e "$BUILD/apps/$large.wasm" ] || { echo "apps/build.sh has not built $large"; exit 77; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
compiling() { metric_is app_changes_compiling 1; }
# change NAME COMMAND...: beside; its output and its exit status in files of that name
change() { (result=0; ctl "${@:2}" "${to[@]}" >"$work/$1" 2>&1 || result=$?; echo $result >"$work/$1.status") & }
ended() { [ -e "$work/$1.status" ]; }

check start --workers 2
push hello hello-c
change first app push first "$BUILD/apps/$large.wasm"
await "its compilation" compiling
begin=$(now_ms)
change second app push second "$BUILD/apps/hello-c.wasm"
await "the second change, which waits" metric_is app_changes_waiting 1
answers=0
until ended first; do
    equal "$(get /hello/)" "Hello from C inside the enclave" "an app beside the compiler"
    answers=$((answers + 1))
done
took=$(($(now_ms) - begin))
[ $answers -ge 10 ] || fail "only $answers answers while a component was compiled"
await "the end of the second change" ended second
equal "$(cat "$work/first.status" "$work/second.status")" $'0\n0' "both pushes: $(cat "$work/first" "$work/second")"
# in the order in which they came: by what the server says, which writes it when each is in force
equal "$(grep -o 'app [a-z]* deployed' "$work/server.log" | tail -n 2)" $'app first deployed\napp second deployed'
equal "$(get /second/)" "Hello from C inside the enclave"

# told to stop while one is compiled and three wait
change third app push third "$BUILD/apps/$large.wasm"
await "its compilation" compiling
change fourth app push fourth "$BUILD/apps/hello-c.wasm"
change fifth app rm hello
echo '{"config":{"a":"b"}}' >"$work/settings.json"
change sixth app settings second "$work/settings.json"
await "the changes that wait" metric_is app_changes_waiting 3
begin=$(now_ms)
kill -TERM "$server"
wait "$server" || fail "the server did not end well: $?"
server=
stopped=$(($(now_ms) - begin))
for name in third fourth fifth sixth; do
    await "the end of the $name change" ended $name
    equal "$(cat "$work/$name.status")" 1 "status of the $name change: $(cat "$work/$name")"
    contains "$(cat "$work/$name")" "the server is stopping: nothing was changed"
done
[ $((2 * stopped)) -lt $took ] || fail "the server took $stopped ms to stop; to compile it takes $took"
echo "$answers answers while a component was compiled in $took ms; stopped within $stopped ms while another was"

# nothing of them is there, and what was there is
check start --workers 2
equal "$(get /hello/)" "Hello from C inside the enclave" "after the restart"
equal "$(status /third/)/$(status /fourth/)" 404/404 "what was dropped"
contains "$(ctl app settings second "${to[@]}")" '"settings":{}'
# a client that goes away while its component is compiled keeps nobody waiting either
ctl app push third "$BUILD/apps/$large.wasm" "${to[@]}" >/dev/null 2>&1 &
pusher=$!
await "its compilation" compiling
kill -KILL $pusher
wait $pusher 2>/dev/null || true
check stop
check start
equal "$(status /third/)" 404 "what was dropped"
push third hello-c
equal "$(get /third/)" "Hello from C inside the enclave"
check stop
