#!/usr/bin/env bash
# SQLite (apps/programs/sqlite.c) puts 10,000 rows into a database in its sealed files, in each of its journal modes, and
# the server is killed with -9 at a random moment again and again: whatever was committed and acknowledged is there
# afterwards, and PRAGMA integrity_check finds nothing wrong. SEED=n tries other moments, ROWS=n more rows.
. "$(dirname "$0")/lib.sh"
RANDOM=${SEED:=$RANDOM}
rows=${ROWS:-10000}
modes=(delete wal truncate persist)
echo "seed $SEED"

# whole_lines: of what /run has said so far
whole_lines() { [ -n "$(tail -c 1 "$work/run")" ] && head -n -1 "$work/run" || cat "$work/run"; }

check start --request-timeout 600000
push sqlite sqlite
known=0 round=0 crashes=0
while [ "$known" -lt "$rows" ]; do
    mode=${modes[round++ % 4]}
    moment=$((known + 50 + RANDOM % (rows / 4)))
    : >"$work/run"
    curl -skN --max-time 600 "$url/sqlite/run?$mode,$rows" >"$work/run" 2>/dev/null &
    client=$!
    until [ "$(whole_lines | grep -xE '[0-9]+' | tail -n 1 || true)" -ge "$moment" ] 2>/dev/null || ! kill -0 $client 2>/dev/null; do
        sleep 0.01
    done
    crash
    wait $client || true
    whole_lines >"$work/said"
    grep -vxE '[0-9]+|done' "$work/said" && fail "round $round, $mode: it said what is above"
    last=$(grep -xE '[0-9]+' "$work/said" | tail -n 1 || echo "$known")
    check start --request-timeout 600000
    said=$(get "/sqlite/check?$mode,$last" --max-time 600 | head -n 1)
    contains "$said" "ok "
    known=${said#ok }
    [ "$known" -ge "$last" ] || fail "round $round, $mode: $known rows, $last were acknowledged"
    crashes=$((crashes + 1))
done
[ $crashes -ge 4 ] || fail "only $crashes crashes"
echo "$known rows, $crashes crashes"
check stop
