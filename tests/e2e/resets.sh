#!/usr/bin/env bash
# Connections that are cut at every point, under two workers: none hangs, none that was not cut misses an answer, and
# no slot is lost. RESETS=100000 for more of them; RESETS_SEED repeats a run.
. "$(dirname "$0")/lib.sh"
check start --workers 2
push echo echo
check "$BUILD/bin/reset_client" "$port" "${RESETS:-20000}" ${RESETS_SEED:-}

in_use() {
    local before
    before=$(grep -c '^channels:' "$work/server.log" || true)
    kill -USR1 "$server"
    for _ in $(seq 500); do
        [ "$(grep -c '^channels:' "$work/server.log" || true)" -gt "$before" ] && break
        sleep 0.02
    done
    grep '^channels:' "$work/server.log" | tail -n 1
}
for _ in $(seq 300); do # the last ones' ends are on their way
    [ "$(in_use)" = "channels: 0 in use" ] && break
    sleep 0.2
done
equal "$(in_use)" "channels: 0 in use" "slots after the last connection"
equal "$(status /echo/ -d x)" 200 "afterwards"
check stop
