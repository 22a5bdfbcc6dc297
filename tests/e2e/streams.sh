#!/usr/bin/env bash
# Bodies: 10 MiB through the echo component both ways, chunked and with a length, and 500 connections at once.
. "$(dirname "$0")/lib.sh"

check start
push echo echo
push hello hello-c
head -c 10485760 /dev/urandom >"$work/body"
get /echo/ --data-binary "@$work/body" -H 'Expect:' -o "$work/back"
cmp "$work/body" "$work/back" || fail "10 MiB with Content-Length came back changed"
get /echo/ -T - -X POST <"$work/body" -o "$work/back"
cmp "$work/body" "$work/back" || fail "10 MiB chunked came back changed"
get /echo/ --data-binary "@$work/body" -H 'Expect: 100-continue' -o "$work/back"
cmp "$work/body" "$work/back" || fail "with 100-continue"

# a client that reads slowly stops its own guest and nobody else
talk send 'POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\nabc' until abc touch "$work/begun" \
    await "$work/enough" >/dev/null &
slow=$!
await "a client that reads no more" test -e "$work/begun"
for _ in $(seq 20); do equal "$(status /hello/)" 200 "beside a client that does not go on"; done
get /echo/ --data-binary "@$work/body" --limit-rate 200k -o "$work/slow" &
reader=$!
await "the beginning of a slow download" test -s "$work/slow"
for _ in $(seq 20); do equal "$(status /hello/)" 200 "beside a slow client"; done
kill $reader 2>/dev/null || true
wait $reader 2>/dev/null || true
touch "$work/enough"
wait $slow

# 500 connections at once
for _ in $(seq 250); do printf 'url = "%s/hello/"\noutput = /dev/null\n' "$url"; done >"$work/urls"
for half in 1 2; do
    ask --parallel --parallel-immediate --parallel-max 250 -K "$work/urls" -w '%{http_code}\n' >"$work/codes.$half" &
    clients="${clients:-} $!"
done
wait $clients || fail "a client of 500 connections failed"
equal "$(cat "$work"/codes.* | sort | uniq -c | tr -s ' ')" " 500 200" "answers on 500 connections"
check stop
