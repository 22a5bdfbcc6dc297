#!/usr/bin/env bash
# zstd (apps/programs/zstd.c), made from its own sources by the recipe for programs in C, against Debian's: what the one
# compresses the other decompresses, some MiB at a time.
. "$(dirname "$0")/lib.sh"
check start --request-timeout 600000
push zstd zstd
# text, what cannot be made smaller, much of the same, and nothing
seq 400000 >"$work/text"
head -c 3000000 /dev/urandom >"$work/noise"
head -c 8000000 /dev/zero >"$work/zeros"
: >"$work/empty"
for kind in text noise zeros empty; do
    get /zstd/ --max-time 600 -T - -X POST <"$work/$kind" >"$work/$kind.zst"
    zstd -q -d -c "$work/$kind.zst" | cmp - "$work/$kind" || fail "Debian's zstd does not find $kind in what ours made"
    zstd -q -19 -c "$work/$kind" >"$work/$kind.theirs"
    for made in zst theirs; do
        get /zstd/d --max-time 600 -T - -X POST <"$work/$kind.$made" | cmp - "$work/$kind" || fail "$kind.$made"
    done
    echo "$kind: $(stat -c %s "$work/$kind") bytes, $(stat -c %s "$work/$kind.zst") compressed"
done
head -c 100000 "$work/noise.zst" >"$work/cut"
equal "$(status /zstd/d --data-binary "@$work/noise")" 500 "what is not compressed"
get /zstd/d --data-binary "@$work/cut" -o /dev/null || true
contains "$(cat "$work/server.log")" "the input ends too early"
check stop
