#!/usr/bin/env bash
# O_SYNC, O_DSYNC and O_RSYNC: what was acknowledged while the file is still open is there after kill -9 right behind the
# acknowledgement (apps/guests/synced.c), whether it was written, appended, put at a position, cut, made, or read.
. "$(dirname "$0")/lib.sh"

# leaves PATH TEXT: do it, kill the server right behind the acknowledgement, and find the file with TEXT in it
leaves() {
    : >"$work/said"
    curl -skN --max-time 600 "$url/synced/$1" >"$work/said" 2>/dev/null &
    client=$!
    until grep -q . "$work/said" || ! kill -0 $client 2>/dev/null; do sleep 0.01; done
    crash
    wait $client || true
    equal "$(head -n 1 "$work/said")" acknowledged "$1"
    check start --request-timeout 600000
    found=$(get /synced/look)
    [ $# -eq 1 ] || equal "$found" "$2" "after $1"
}

check start --request-timeout 600000
push synced synced
for flag in sync dsync; do
    leaves create/$flag ""
    leaves write/$flag write
    leaves append/$flag write+more
    leaves position/$flag wPite+more
    leaves cut/$flag wP
    leaves open-truncate/$flag ""
done
for flag in rsync rsync-dsync; do
    leaves read/$flag read
    leaves open-truncate/sync ""
done
# without a flag nothing is promised; had it been there, this would have shown nothing of the flags
leaves write/none
[ -z "$found" ] || echo "a write without a flag survived, too: $found"
check stop
