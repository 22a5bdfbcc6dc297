#!/usr/bin/env bash
# Killed at any step of a state checkpoint, while several write: at any request of the enclave to its host, from the append
# of the entry on, and with the question to the witness, or its answer, at each place of its way. Each next start is served,
# and has all that was acknowledged; no witness refuses; and its history goes on from all that was seen of it.
# witness-state-kills.sh durable: the same with writes that wait for the checkpoint.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"
checker=$("$SOURCE/tests/log/build.sh")/checker
HOST=$BUILD/bin/lying_store
export COUNT_WHILE=$work/count
durable=${1:-}

witness_start w1
witness_proxy w1
export TELL_COMMITS=$work/witness-w1/asked # one order of commits, questions and cosignatures
more=(--witness-seconds 86400 --witness-commits 2) # each commit calls for a checkpoint, none of them comes by the clock
first_boot w1
push counter counter-c
if [ "$durable" ]; then
    echo '{"durable":"witnessed"}' >"$work/settings.json"
    check ctl app settings counter "$work/settings.json" "${to[@]}" >/dev/null
fi

crash

told=0 # the highest number that anybody was told
writers=3
write() { ask --fail "$url/counter/" 2>/dev/null | grep -o '[0-9]*$' | tail -n 1; }
# They write until the server is gone.
writers_begin() {
    local i
    writing=()
    rm -f "$work"/told-*
    for i in $(seq $writers); do
        while write >>"$work/told-$i"; do :; done &
        writing+=($!)
    done
}
writers_end() {
    await "the kill" ended
    wait "$server" 2>/dev/null || true
    wait "${writing[@]}" || true
    server=
    sort -n "$work"/told-* >"$work/told"
    [ -z "$(uniq -d "$work/told")" ] || fail "a number was told twice: $(uniq -d "$work/told")"
    [ ! -s "$work/told" ] || [ "$(head -n 1 "$work/told")" -gt "$told" ] || fail "a number from before was told again"
    [ ! -s "$work/told" ] || told=$(tail -n 1 "$work/told")
}
begin() { # WHERE it was killed before
    launch
    await "a start, killed before at $1" ready
    "$checker" "$url" "$work/seen" >"$work/entries" || fail "the log after the kill at $1"
    number=$(write) || fail "no answer after the kill at $1"
    [ "$number" -gt "$told" ] || fail "killed at $1: $told were acknowledged, and $number comes next"
    [ "$number" -le $((told + 1 + writers)) ] || fail "killed at $1: $told were acknowledged, and $number comes next"
    told=$number
    ! logged 'witness w1 has seen' || fail "a witness refuses after the kill at $1"
}
# Where nobody writes, and nothing is on its way
settled() {
    [ "$(grep '^cosigned' "$TELL_COMMITS" | tail -n 1)" = "cosigned $(get /_enclave/log/checkpoint | sed -n 2p)" ]
}

moment=0 behind=0
until [ $behind = 4 ]; do # once all through, and into the next
    moment=$((moment + 1))
    KILL_AT=$moment begin "moment $((moment - 1))"
    await "the last checkpoint" settled
    : >"$TELL_COMMITS"
    touch "$COUNT_WHILE"
    writers_begin
    writers_end
    rm "$COUNT_WHILE"
    check logged "killed at moment $moment"
    ! grep -q '^cosigned' "$TELL_COMMITS" || behind=$((behind + 1))
    [ $moment -lt 100 ] || fail "the checkpoint has no end"
done
[ $moment -gt 6 ] || fail "it was killed at $moment moments only"

for step in asked cosigned half answered; do
    begin "the one before $step"
    await "the last checkpoint" settled
    witness_holds w1 $step
    writers_begin
    await "the answer at $step" witness_held w1 $step
    if [ "$durable" ] && [ $step != answered ]; then
        [ ! -s "$work/told-1" ] && [ ! -s "$work/told-2" ] && [ ! -s "$work/told-3" ] || fail "$step: told before it is proven"
    fi
    kill -KILL "$server"
    writers_end
    witness_passes w1
done
begin "the last step"
if [ "$durable" ]; then # a file is on disk, and proven, before fsync returns
    push files files-c
    check ctl app settings files "$work/settings.json" "${to[@]}" >/dev/null
    await "the last checkpoint" settled
    witness_holds w1 cosigned
    status /files/a -X PUT --data-binary text >"$work/status" &
    putting=$!
    await "the question about a file" witness_held w1 cosigned
    kill -0 $putting || fail "a file was acknowledged before a witness's word for it"
    witness_passes w1
    wait $putting
    equal "$(cat "$work/status")" 200
    crash
    begin "a file"
    equal "$(get /files/a)" text "a file that was acknowledged"
fi
check stop
grep -q ' state ' "$work/entries" || fail "there was no checkpoint"
echo "killed at $moment moments, and at 4 places of the question; $told writes, $(grep -c ' state ' "$work/entries") checkpoints"
