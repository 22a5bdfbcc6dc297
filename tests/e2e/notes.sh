#!/usr/bin/env bash
# notes.sh APP: the same small service in a language with a runtime of its own (apps/notes-*): files, keyvalue, the
# environment, bodies both ways, and what the log has when the guest fails.
. "$(dirname "$0")/lib.sh"
app=$1
put() { status "$1" -T "$2"; }

check start
begin=$(date +%s%N)
push notes "$app"
pushed=$(date +%s%N)
equal "$(status /notes/notes)" 200
echo "$app: deployed in $(((pushed - begin) / 1000000)) ms, first answer after $((($(date +%s%N) - pushed) / 1000000)) ms"

# bodies: small, none, and far larger than any buffer on the way, there and back
equal "$(get /notes/echo -d 'there and back')" "there and back"
equal "$(get /notes/echo -X POST)" ""
head -c 700000 /dev/urandom >"$work/body"
get /notes/echo --data-binary "@$work/body" | cmp - "$work/body" || fail "a large body came back changed"
get /notes/echo -T - -X POST <"$work/body" | cmp - "$work/body" || fail "a chunked body came back changed"
# the echo streams: what was sent comes back while more is to come
check talk send 'POST /notes/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n' \
    until first send '6\r\nlater\n\r\n0\r\n\r\n' eof >"$work/slow"
contains "$(tr -d '\r\n' <"$work/slow")" "6first6later0"

# files on the app's own root
equal "$(get /notes/notes)" "" "names at first"
equal "$(status /notes/notes/none)" 404
equal "$(put /notes/notes/big "$work/body")" 200
equal "$(get /notes/notes/small -X PUT -d 'a line')" kept
equal "$(get /notes/notes/small -X PUT -d 'another')" kept
equal "$(get /notes/notes/small)" another
get /notes/notes/big | cmp - "$work/body" || fail "a large note came back changed"
equal "$(echo $(get /notes/notes))" "big small"
equal "$(get /notes/notes/small -X DELETE)" forgotten
equal "$(status /notes/notes/small)" 404

# what was acknowledged is there after kill -9 right behind it: a note's content, its name, and that it is gone
for round in 1 2 3; do
    equal "$(get /notes/notes/small -X PUT -d "round $round")" kept
    equal "$(get /notes/notes/gone -X PUT -d "round $round")" kept
    equal "$(get /notes/notes/gone -X DELETE)" forgotten
    crash
    check start
    equal "$(get /notes/notes/small)" "round $round"
    equal "$(status /notes/notes/gone)" 404 "a note that was forgotten"
done
equal "$(get /notes/notes/small -X DELETE)" forgotten

# values within values, as deep as wasmtime's own stack allows
if [ "$app" = notes-python ]; then equal "$(get /notes/nested/900)" read "nested JSON"; fi

# keyvalue, and what the operator set
equal "$(get /notes/count)" 1
equal "$(get /notes/count)" 2
equal "$(get /notes/env/GREETING)" ""
echo '{"environment":{"GREETING":"good day"}}' >"$work/settings"
ctl app settings notes "$work/settings" "${to[@]}" >/dev/null
equal "$(get /notes/env/GREETING)" "good day"

# memory that the adapter takes is not the language's, nor the other way round
equal "$(get /notes/heap)" whole
# a guest that fails: 500, why in the log under its name, and the next request is none the worse
equal "$(status /notes/fail)" 500
contains "$(cat "$work/server.log")" "app notes: "
grep -q "app notes: .*as it was asked to" "$work/server.log" || fail "the log does not say why the guest failed"
equal "$(get /notes/count)" 3
# many at once, each in an instance of its own
for i in $(seq 40); do printf 'url = "%s/notes/count"\noutput = "%s/count.%d"\n' "$url" "$work" "$i"; done >"$work/urls"
ask --parallel --parallel-max 8 -K "$work/urls" 2>/dev/null
equal "$(cat "$work"/count.* | sort -n | tr '\n' ' ')" "$(seq 4 43 | tr '\n' ' ')" "counts that were asked for at once"

check stop
check start
begin=$(date +%s%N)
equal "$(get /notes/count)" 44 "after a restart"
echo "$app: first answer after a restart after $((($(date +%s%N) - begin) / 1000000)) ms"
get /notes/notes/big | cmp - "$work/body" || fail "a large note after a restart"
equal "$(get /notes/env/GREETING)" "good day" "settings after a restart"
check stop
