#!/usr/bin/env bash
# What Rust's standard library asks of WASI preview 1, case by case, in a program with a main (apps/posix-rust).
. "$(dirname "$0")/lib.sh"
check start
push rust posix-rust
printf '{"arguments":["one","two words","é"],"environment":{"GREETING":"hello"}}' >"$work/settings"
check ctl app settings rust "$work/settings" --url "$url" --admin-key "$admin" --allow-simulation >/dev/null
for turn in 1 2; do
    said=$(get /rust/ -d 'the body')
    tried=$(sed -n 's/^\([0-9]*\) of \1 cases$/\1/p' <<<"$said")
    [ "${tried:-0}" -gt 90 ] || fail "turn $turn: $said"
    check stop
    check start
done
echo "$tried cases"
contains "$(get /rust/ -d 'the body' >/dev/null; cat "$work/server.log")" "app rust: posix-rust was here"
check stop
