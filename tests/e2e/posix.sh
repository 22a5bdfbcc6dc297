#!/usr/bin/env bash
# What WASI preview 1 says of files, links, flags, times, folders, clocks and sockets, case by case (apps/guests/posix.c),
# and what a restart leaves of links.
. "$(dirname "$0")/lib.sh"
check start
push posix posix
for turn in 1 2; do
    said=$(get /posix/)
    tried=$(sed -n 's/^\([0-9]*\) of \1 cases$/\1/p' <<<"$said")
    [ "${tried:-0}" -gt 200 ] || fail "turn $turn: $said"
    check stop
    check start
done
echo "$tried cases"
check stop
