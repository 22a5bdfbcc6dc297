#!/usr/bin/env bash
# The sealed file system through a C library: what was synced survives restart and kill -9, apps have roots of their
# own that nothing leads out of, and a host that changes records is noticed. The full disk is full.sh's.
. "$(dirname "$0")/lib.sh"
put() { status "$1" -X PUT --data-binary "@$2"; }
check start --workers 2
push one files-c
push two files-c
head -c 3000000 /dev/urandom >"$work/big"
printf 'first' >"$work/small"
equal "$(put /one/a "$work/small")" 200
equal "$(put /one/big "$work/big")" 200
equal "$(get /one/d?mkdir -X PUT)" "done"
equal "$(get "/one/a?rename=/d/a" -X POST)" "done"
equal "$(echo $(get /one/))" "big d/"
equal "$(get /two/)" "" "another app's root"
equal "$(status /two/d/a)" 404 "another app's file"
for path in /one/../../data /one/d/../../../a //etc/passwd; do
    code=$(curl -sk --path-as-is -o /dev/null -w '%{http_code}' "$url$path")
    [ "$code" -ge 400 ] || fail "$path: $code"
done
check stop
check start
equal "$(get /one/d/a)" first "after a restart"
get /one/big | cmp - "$work/big" || fail "the large file after a restart"
# kill -9 in the middle of writing: each file is there whole, and under the name that was acknowledged
for round in 1 2 3; do
    (for i in $(seq 100); do
        printf '%d' "$i" >"$work/value"
        [ "$(put /one/new "$work/value")" = 200 ] || break
        [ "$(get "/one/new?rename=/value" -X POST)" = "done" ] || break
        echo "$i" >>"$work/acknowledged.$round"
    done) 2>/dev/null &
    writer=$!
    touch "$work/acknowledged.$round"
    await "some renamed files" lines "$work/acknowledged.$round" $((round * 5))
    crash
    wait $writer 2>/dev/null || true
    check start
    last=$(tail -n 1 "$work/acknowledged.$round")
    value=$(get /one/value)
    [ "${value:-0}" -ge "$last" ] || fail "round $round: $last renames were acknowledged, but the value is '$value'"
done
get /one/big | cmp - "$work/big" || fail "the large file after kill -9"
# many files at once, on both workers
for i in $(seq 60); do printf 'url = "%s/one/m%d"\nupload-file = "%s/small"\noutput = /dev/null\n' "$url" "$i" "$work"; done >"$work/urls"
ask --parallel --parallel-max 20 -K "$work/urls"
equal "$(get /one/ | grep -c '^m')" 60 "files that were made at once"
check stop
# a host that changes records, or brings back old ones
cp -r "$work/data" "$work/good"
count=$("$BUILD/bin/lmdb_tool" "$work/data" count)
for _ in $(seq 12); do
    rm -rf "$work/data"
    cp -r "$work/good" "$work/data"
    "$BUILD/bin/lmdb_tool" "$work/data" flip $((RANDOM % count)) middle
    if start; then
        get /one/big -o "$work/back" || true
        [ ! -s "$work/back" ] || cmp "$work/back" "$work/big" >/dev/null || [ "$(stat -c %s "$work/back")" -lt 3000000 ] ||
            fail "a changed record went unnoticed"
        crash
    else
        server=
        grep -qE "$says_what_is_damaged" "$work/server.log" || fail "no clear line"
    fi
done
