#!/usr/bin/env bash
# A full disk: the guest is told insufficient-space, nothing that was acknowledged is lost, whatever was there can be read
# and removed, and when there is room again everything goes on; also when the server is killed or started meanwhile.
. "$(dirname "$0")/lib.sh"
put() { status "$1" -X PUT --data-binary "@$2"; }
mkdir "$work/data"
if ! mount -t tmpfs -o size=16m none "$work/data" 2>/dev/null; then
    echo "no tmpfs can be mounted here: the full disk is tried by enclave/fs/durable alone"
    exit 77
fi
trap '[ -z "$server" ] || kill -KILL "$server"; umount -l "$work/data" || true; cleanup' EXIT
head -c 3000000 /dev/urandom >"$work/big"
printf 'first' >"$work/small"

# fill: files until one is refused; the names of those that were acknowledged in $acknowledged
fill() {
    local i code
    acknowledged=
    for i in $(seq 20); do
        code=$(put "/one/$1$i" "$work/big")
        [ "$code" = 200 ] || break
        acknowledged="$acknowledged $1$i"
    done
    equal "$code" 507 "a write to a full disk"
}
whole() { for file in $*; do get "/one/$file" | cmp - "$work/big" || fail "$file, which was acknowledged"; done; }
free() { for file in $*; do equal "$(get "/one/$file" -X DELETE)" "done" "removing $file"; done; }

check start
push one files-c
push two files-c
push counter counter-c
equal "$(put /one/kept "$work/small")" 200
equal "$(put /two/kept "$work/small")" 200
equal "$(get /counter/)" 1
fill a
[ -n "$acknowledged" ] || fail "nothing went in"
whole "$acknowledged"
for app in one two; do equal "$(get /$app/kept)" first "beside a full disk"; done
set -- $acknowledged
# what is there may go, at once, and then there is room
free "$1"
equal "$(put /one/again "$work/small")" 200 "a file when there is room again"
equal "$(get /one/again)" first
for _ in $(seq 20); do [ "$(get /counter/)" = 2 ] && break; done
equal "$(get /counter/peek)" 2 "the counter when there is room again"
shift
whole "$@"
# full again: one that was there goes, and what is left of the rejected one finds its room
fill b
free "$1"
shift
equal "$(put /one/again "$work/small")" 200 "a file when there is room again, beside a rejected one"
# and again, and killed
fill d
whole "$acknowledged" "$@"
crash
check start
whole "$acknowledged" "$@"
for app in one two; do equal "$(get /$app/kept)" first "after a full disk and kill -9"; done
equal "$(get /one/again)" first
# started while it is full
free "$1"
equal "$(put /one/last "$work/small")" 200
crash
check start
equal "$(get /one/last)" first
equal "$(status "/one/$1")" 404 "what was removed"
# the disk grows under a file that waits for room
fill c
mount -o remount,size=64m none "$work/data"
equal "$(put /one/more "$work/big")" 200 "a file on a larger disk"
crash
check start
whole more "$acknowledged"
check stop
