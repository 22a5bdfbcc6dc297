#!/usr/bin/env bash
# Killed at any step of a change of the witnesses: at any request of the enclave to its host while it is made, and with a
# question to those before or to the new ones, or its answer, at each place of its way. The next start has the one set or
# the other, and the new one wherever that was acknowledged; until those before have cosigned the change, both must
# cosign the start; and none ever refuses.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"
HOST=$BUILD/bin/lying_store
export COUNT_WHILE=$work/count

for name in w1 w2; do
    witness_start $name
    witness_proxy $name
done
more=(--witness-seconds 86400) # nothing comes by the clock
first_boot w1
witness_know w2 "$origin" "$(log_key)"
push counter counter-c
equal "$(count)" 1
number=1
alone=$(others) # records where no set is handing over
crash

is_set() { # WHO: the only one
    local listed
    listed=$(get /_enclave/manifest | grep -o '"label":"witness:[^"]*"') && [ "$listed" = "\"label\":\"witness:$1\"" ]
}
in_force() { if is_set w1; then echo w1; elif is_set w2; then echo w2; else fail "neither set"; fi; }
handed_over() { [ "$(others)" = "$alone" ]; }
set_to() { set_of "$1"; ctl witness set "$work/set.json" "${to[@]}" >"$work/said" 2>&1; }
other_of() { if [ "$1" = w1 ]; then echo w2; else echo w1; fi; }
served() { # AFTER
    await "a start after $1" ready
    number=$((number + 1))
    equal "$(count)" $number "the counter after $1"
    ! logged 'has seen' || fail "a witness refuses after $1"
}
# unserved_without NAME: it is asked, and nobody is served
unserved_without() {
    echo withhold >"$work/witness-$1/mode"
    launch
    await "what is said of $1" logged "witness $1 does not answer"
    ! ready || fail "served without $1"
    crash
    witness_passes "$1"
}

# ---- at any request to the host ---------------------------------------------------------------------------------------
moment=0 changed= before=w1
until [ "$changed" ]; do
    moment=$((moment + 1))
    KILL_AT=$moment launch
    served "moment $((moment - 1))"
    before=$(in_force)
    await "the end of handing over" handed_over
    touch "$COUNT_WHILE"
    set_to "$(other_of "$before")" && changed=yes
    [ "$changed" ] || await "the kill" ended
    rm "$COUNT_WHILE"
    [ "$changed" ] || { check logged "killed at moment $moment"; wait "$server" 2>/dev/null || true; }
    [ $moment -lt 200 ] || fail "the change has no end"
done
crash
launch
served "the change"
after=$(other_of "$before")
equal "$(in_force)" "$after" "who was acknowledged"
await "the end of handing over" handed_over
crash
[ $moment -gt 8 ] || fail "it was killed at $moment moments only"

# ---- with a question to one of them, or its answer, on its way ----------------------------------------------------------
# kill_at WHO STEP TARGET: killed there, while the change to TARGET is made. TARGET was away until then, as who is wanted no
# more may be.
kill_at() {
    launch
    served "what was before $1, $2"
    await "the end of handing over" handed_over
    witness_start "$3"
    witness_holds "$1" "$2"
    set_to "$3" &
    local setting=$!
    await "$1, $2" witness_held "$1" "$2"
    crash
    ! wait $setting || [ "$2" = answered ] || fail "$1, $2: the change was acknowledged"
    witness_passes "$1"
}
before=$after after=$(other_of "$before")
witness_stop "$after"
for step in asked cosigned; do # the trial: nothing was changed, and the new one is not needed
    kill_at "$after" $step "$after"
    witness_stop "$after"
    launch
    served "the trial, $step"
    equal "$(in_force)" "$before" "after the trial, $step"
    crash
done
for step in asked cosigned answered; do # those before: they are asked once the change is on disk
    kill_at "$before" $step "$after"
    [ $step = answered ] || unserved_without "$before" # else they may have done all that they are wanted for
    unserved_without "$after"
    launch
    served "those before, $step"
    equal "$(in_force)" "$after" "those before, $step"
    await "the end of handing over" handed_over
    crash
    witness_stop "$before"
    before=$after after=$(other_of "$before")
done
launch
served "all that"
check stop
echo "a change was killed at $((moment - 1)) moments, and at 5 places of its questions"
