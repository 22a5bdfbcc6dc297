#!/usr/bin/env bash
# An app that attacks (apps/guests/hostile.c) beside innocent ones: it sees nothing of theirs, it leads nowhere out of its
# root, what it misuses ends it and no one else, and all the while the others answer correctly and in time.
. "$(dirname "$0")/lib.sh"
settings() { printf '%s' "$2" >"$work/settings"; ctl app settings "$1" "$work/settings" "${to[@]}" >/dev/null; }
attack() { # PATH: the status, then what it said, on one line
    local code
    code=$(ask -o "$work/said" -w '%{http_code}' "$url/hostile/$1") || code="$code cut"
    [ ! -s "$work/said" ] || [ "${code%% *}" != 200 ] || code="$code $(tr '\n' ' ' <"$work/said" | sed 's/ $//')"
    echo "$code"
}

check start --workers 2
push hostile hostile
push victim counter-c
push files files-c
push hello hello-c
equal "$(status /victim/put/secret)" 200
equal "$(get /files/secret -X PUT -d hidden)" "done"
settings victim '{"environment":{"SECRET":"environment"},"config":{"secret":"config"}}'
settings files '{"environment":{"SECRET":"environment"}}'
settings hostile '{"environment":{"OWN":"value"}}'

# the innocent ones, asked again and again until the end: a line in $work/rounds each time that all have answered
: >"$work/rounds"
(
    while [ -d "$work" ] && [ ! -e "$work/stop" ]; do # also when the test has failed
        for ask in hello/="Hello from C inside the enclave" victim/get=secret files/secret=hidden; do
            said=$(get "/${ask%%=*}") || said="$said (curl: $?)"
            [ "$said" = "${ask#*=}" ] || echo "/${ask%%=*}: '$said'"
        done
        echo >>"$work/rounds"
    done
) >"$work/wrong" &
prober=$!

# secrets of others
nothing="nothing nothing nothing nothing nothing nothing nothing"
equal "$(attack keys)" "200 $nothing refused" "other apps' buckets"
equal "$(attack environment)" "200 OWN=value nothing" "other apps' environment and configuration"
equal "$(attack preopens)" "200 /" "preopens"
# ways out: not-permitted (31), no-entry (20), name-too-long (18); links: unsupported (27), invalid (12)
equal "$(attack escape)" "200 error 31 error 31 error 31 error 31 error 31 error 31 error 31 error 31 error 31 error 20 error 20 \
error 20 error 20 error 18 error 18" "paths that lead out"
equal "$(attack below)" "200 error 31 error 31 ok error 31" "paths that lead out of a directory below"
equal "$(attack links)" "200 error 31 ok error 31 ok error 31" "links: one may lead out, and nobody follows it"
equal "$(attack sockets)" "200 error 1 error 1 error 1" "sockets: access-denied"
equal "$(attack far-write)" "200 error 12 error 12 error 12" "sizes that no file has: invalid, as EINVAL of Linux"
# header names and values that would break out of their line: invalid-syntax (0), forbidden (1)
equal "$(attack smuggle)" "200 error 0 error 0 error 0 error 0 error 1 error 1 error 1 ok error 0 error 0" "headers"
# what ends a guest, and the reason in the log
while read -r path reason; do
    : >"$work/server.log"
    equal "$(attack "$path")" 500 "$path"
    contains "$(cat "$work/server.log")" "$reason"
done <<'LIST'
exhaust-fields too many resources
exhaust-pollables too many resources
exhaust-buckets too many resources
exhaust-descriptors too many resources
exhaust-streams too many resources
exhaust-requests too many resources
wrong-type used with the wrong type
dropped unknown handle index
dropped-twice unknown handle index
given-away used with the wrong type
never-given unknown handle index 12345
largest unknown handle index 4294967295
list-outside out of bounds of memory
text-outside out of bounds of memory
bad-utf8 invalid utf-8
poll-nothing poll of an empty list
poll-many handle limit exceeded
fields-many fuel
random-much random bytes at once
too-much-at-once more than 4096 bytes
more-than-allowed more than check-write allowed
LIST
equal "$(attack answer-twice)" "200 once" "a second answer"
equal "$(attack lie-short)" "000 cut" "less than was announced"
equal "$(attack lie-long)" "000 cut" "more than was announced"
equal "$(attack flood-log)" "200 done"
# writing without end to clients that do not read, waiting without end, and much at once
for i in 1 2 3 4; do
    talk send 'GET /hostile/drown HTTP/1.1\r\nHost: x\r\n\r\n' until ' 200 ' touch "$work/drowns.$i" await "$work/enough" >/dev/null &
    await "a guest that writes without end" test -e "$work/drowns.$i"
done
calls=$(metric wasm_calls_total)
attack wait-for-ever >/dev/null & waiter=$!
for _ in $(seq 20); do attack exhaust-descriptors >/dev/null & done
await "the attacks" metric_reaches wasm_calls_total $((calls + 21))
await "answers of innocent apps beside them" lines "$work/rounds" $(($(wc -l <"$work/rounds") + 5))
touch "$work/enough"
kill $waiter
wait $(jobs -p | grep -v -e "^$server\$" -e "^$prober\$") 2>/dev/null || true

# a list that is long and waits is its app's: 64 bytes for each of the 90,000
before=$(metric guest_memory_bytes)
attack poll-long >/dev/null & waiter=$!
await "what its list takes" metric_reaches guest_memory_bytes $((before + 90000 * 64))
kill $waiter

touch "$work/stop"
wait $prober
[ ! -s "$work/wrong" ] || fail "innocent apps: $(head -n 5 "$work/wrong")"
crash # the guest that waits has minutes left
check start --request-timeout 500
equal "$(attack wait-for-ever)" 504
await "the end of all guests" metric_is guest_memory_bytes 0 # what they held has been given back
# and the victim's things are as they were
check stop
check start
equal "$(get /victim/get)" secret
equal "$(get /files/)" secret
check stop
