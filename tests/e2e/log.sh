#!/usr/bin/env bash
# The history that a server gives out, read by Go's own transparency logs (tests/log): every change and every start is an
# entry, of whoever asked for it; its checkpoint, tiles and proofs hold, and whatever clients have seen of it stays its
# beginning, over restarts and kill -9 at any request of a boot and of a push; and who floods it with reads hurts nobody.
# GROW=300 makes so many changes more.
. "$(dirname "$0")/lib.sh"
checker=$("$SOURCE/tests/log/build.sh")/checker
HOST=$BUILD/bin/lying_store
seen=$work/seen # heads
read_log() { "$checker" "$url" "$seen" || fail "the log does not hold"; }
log() { read_log | grep -v '^responses'; }
head_told() { grep -o '"log":{"size":[0-9]*' | cut -d: -f3; }

check start --workers 2
equal "$(log)" "0 begin 1 the log begins"
push v hello-c
printf '{"config":{"a":"b"}}' >"$work/settings"
check ctl app settings v "$work/settings" "${to[@]}" >/dev/null
check ctl app rm v "${to[@]}" >/dev/null
changes="0 begin 1 the log begins
1 generation 2 app push v
2 generation 3 app settings v
3 generation 4 app rm v"
equal "$(log)" "$changes"
for path in /status /metrics; do equal "$(ctl get $path "${to[@]}" | head_told)" 4 $path; done
check stop

# a start is an entry; one whose limits are others is a generation, too
check start --workers 2
equal "$(log)" "$changes
4 boot 4 start"
check stop
check start --workers 2 --max-headers 77
equal "$(log)" "$changes
4 boot 4 start
5 generation 5 limits
6 boot 5 start"

# whoever changes one bit of any answer on its way is noticed
responses=$("$checker" "$url" | sed -n 's/^responses //p')
[ "$responses" -ge 3 ] || fail "the checker took $responses answers"
for one in $(seq "$responses"); do
    "$checker" -flip "$one" "$url" >/dev/null 2>"$work/why" && fail "a flipped bit of answer $one goes unnoticed"
    grep -q '^checker: ' "$work/why" || fail "the checker of answer $one: $(cat "$work/why")"
done

# what there is not, and what is not said so
for path in tile/0/000 tile/0/000.p/8 tile/0/001.p/1 tile/1/000.p/1 tile/entries/000 tile/entries/000.p/8 tile/entries/999; do
    equal "$(status "/_enclave/log/$path")" 404 "$path"
done
equal "$(status /_enclave/log/checkpoint -X POST)" 405
equal "$(status /_enclave/log/tile/entries/000.p/7)" 200
get /_enclave/log/tile/0/000.p/3 -D "$work/fields" -o "$work/tile"
equal "$(stat -c %s "$work/tile")" 96
contains "$(tr A-Z a-z <"$work/fields")" "cache-control: max-age=31536000, immutable"

# many at once: each has its answer, and others have theirs
push hello hello-c
for i in $(seq 400); do echo "url = $url/_enclave/log/tile/entries/000.p/$((i % 7 + 1))"; echo "output = /dev/null"; done >"$work/urls"
floods=()
for _ in 1 2 3 4; do
    curl -sk --no-progress-meter --fail --parallel --parallel-max 50 -K "$work/urls" &
    floods+=($!)
done
for _ in $(seq 20); do contains "$(get /hello/)" Hello; done
for flood in "${floods[@]}"; do wait "$flood" || fail "a reader of the log was refused"; done
for _ in $(seq "${GROW:-0}"); do check ctl app settings hello "$work/settings" "${to[@]}" >/dev/null; done
log >/dev/null
check stop

# killed at any request of a boot: what was seen is there, that start is in it if it got so far, and the log goes on
cp -r "$work/data" "$work/before"
cp "$seen" "$work/seen-before"
again() { # another history from here, for clients who have seen no more
    rm -rf "$work/data"
    cp -r "$work/before" "$work/data"
    cp "$work/seen-before" "$seen"
}
entries=$(tail -n 1 "$seen" | cut -d' ' -f1)
moment=1 grown=0
until KILL_AT=$moment start --workers 2 --max-headers 77; do
    wait "$server" 2>/dev/null || true
    server=
    contains "$(cat "$work/server.log")" "killed at moment $moment"
    check start --workers 2 --max-headers 77
    now=$(log | wc -l)
    case $((now - entries)) in
    1) ;;
    2) grown=$((grown + 1)) ;;
    *) fail "killed at moment $moment of a boot: from $entries entries to $now" ;;
    esac
    crash
    again
    moment=$((moment + 1))
    [ $moment -lt 500 ] || fail "the boot has no end"
done
crash
again
[ $grown -gt 1 ] && [ $moment -gt $((grown + 2)) ] || fail "$grown starts are in the log, of $moment"
echo "a boot was killed at $((moment - 1)) moments, of which $grown left its entry"

# killed at any request of a push: it is in the log if it is there, and there if it was said
export COUNT_WHILE=$work/count
moment=1 pushed= there=0
until [ "$pushed" ]; do
    KILL_AT=$moment check start --workers 2 --max-headers 77
    log >/dev/null
    touch "$COUNT_WHILE"
    push pushed hello-c 2>/dev/null && pushed=yes
    rm "$COUNT_WHILE"
    if [ "$pushed" ]; then
        "$checker" "$url" "$seen" >/dev/null 2>&1 || true # what this client sees, unless it is killed behind its answer
        crash
    else
        await "the kill" logged "killed at moment $moment"
        wait "$server" 2>/dev/null || true
        server=
    fi
    check start --workers 2 --max-headers 77
    log >"$work/entries"
    entries=$(grep -c 'app push pushed' "$work/entries" || true)
    case $(get /pushed/) in
    *Hello*) equal "$entries" 1 "killed at moment $moment: entries of a push that was made"; there=$((there + 1)) ;;
    *)
        equal "$entries" 0 "killed at moment $moment: entries of a push that was not made"
        [ ! "$pushed" ] || fail "a push was acknowledged, and the app is not there"
        ;;
    esac
    crash
    again
    moment=$((moment + 1))
    [ $moment -lt 500 ] || fail "the push has no end"
done
[ $there -gt 1 ] && [ $moment -gt $((there + 2)) ] || fail "it was there $there times, of $moment"
echo "a push was killed at $((moment - 2)) moments, of which $((there - 1)) left the app"
