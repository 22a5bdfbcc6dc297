#!/usr/bin/env bash
# kill -9 at any moment of writing, appending, cutting, renaming over a file, removing, making and removing directories,
# and a long stream: what was synced and acknowledged is there afterwards, and nothing is half done (apps/guests/steps.c).
# ROUNDS=200 for more than the usual 25.
. "$(dirname "$0")/lib.sh"
kinds=7
check start --request-timeout 3600000
push steps steps
acknowledged=0 restarts=0
for round in $(seq "${ROUNDS:-25}"); do
    : >"$work/run"
    get /steps/run -N >"$work/run" 2>/dev/null &
    client=$!
    [ $((round % 2)) -eq 0 ] || await "the first steps" lines "$work/run" $((RANDOM % 40 + 1))
    sleep "0.$((RANDOM % 900))" # any moment will do, and none is waited for
    crash
    wait $client || true
    # the last whole line; without one, nothing is known to be done beyond what was there before
    last=$(grep -E '^[0-9]+ [0-9]$' "$work/run" | tail -n 1 || true)
    grep -vqE '^[0-9]+ [0-9]$' <(head -n -1 "$work/run") && fail "round $round: $(tail -n 1 "$work/run")"
    [ -n "$last" ] || last="$((${known:-1} - 1)) $((kinds - 1))"
    acknowledged=$((acknowledged + $(wc -l <"$work/run")))
    [ $((round % 2)) -eq 0 ] || [ -n "$last" ] || fail "round $round: no step was acknowledged"
    if [ $((RANDOM % 4)) -eq 0 ]; then # once more, while it puts in order what the crash left
        check start
        get "/steps/check?0,0" -o /dev/null &
        sleep "0.0$((RANDOM % 90 + 10))"
        crash
        wait $! || true
    fi
    check start --request-timeout 3600000
    said=$(get "/steps/check?${last/ /,}")
    contains "$said" "ok "
    known=${said#ok }
    restarts=$((restarts + 1))
done
echo "$acknowledged steps were acknowledged, $restarts crashes, round $known"
check stop
