#!/usr/bin/env bash
# Changing the witnesses: those before cosign it, too; new ones that would not cosign are refused; an app can wait for them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"

witness_start w1
witness_start w2
more=()
first_boot w1
contains "$(ctl witness ls "${to[@]}")" "1 of 1 must cosign, at most 60 seconds and 1000 commits behind"
contains "$(ctl app push counter "$BUILD/apps/counter-c.wasm" "${to[@]}" --json)" '"witnessed":1'
equal "$(count)" 1

# one that does not know the log would end the service: it is refused, with its word
set_of w2
! ctl witness set "$work/set.json" "${to[@]}" >"$work/out" 2>"$work/err" || fail "a witness that does not know the log"
contains "$(cat "$work/err")" "w2 does not know this log"
contains "$(ctl witness ls "${to[@]}" --json)" '"w1"'
witness_know w2 "$origin" "$(log_key)"
before=$(witness_size w1 "$origin")
contains "$(ctl witness set "$work/set.json" "${to[@]}")" "have cosigned this change"
[ "$(witness_size w1 "$origin")" -gt "$before" ] || fail "the one before has not cosigned the change"
contains "$(ctl witness ls "${to[@]}" --json)" '"w2"'
contains "$(get /_enclave/manifest)" '"label":"witness:w2"'
! get /_enclave/manifest | grep -q '"label":"witness:w1"' || fail "w1 is still there"
witness_stop w1 # it is wanted no more
contains "$(ctl app push counter "$BUILD/apps/counter-c.wasm" "${to[@]}" --json)" '"witnessed":1'
check stop
launch
await "a boot by the new one alone" ready
equal "$(count)" 2
# a change that was made from another set is refused
echo '{"witnesses":[],"replaces":"0000000000000000000000000000000000000000000000000000000000000000"}' >"$work/stale.json"
! ctl witness set "$work/stale.json" "${to[@]}" 2>"$work/err" || fail "a change of another set"
contains "$(cat "$work/err")" "have changed since this was made"

# an app that waits for witnesses: each commit is proven when it is acknowledged
echo '{"durable":"witnessed"}' >"$work/settings.json"
check ctl app settings counter "$work/settings.json" "${to[@]}" >/dev/null
for number in 3 4 5; do
    size=$(witness_size w2 "$origin")
    equal "$(count)" $number
    [ "$(witness_size w2 "$origin")" -gt "$size" ] || fail "write $number was acknowledged before a witness knew of it"
done
echo '{"witnesses":[]}' >"$work/none.json"
! ctl witness set "$work/none.json" "${to[@]}" 2>"$work/err" || fail "an app that waits for nobody"
contains "$(cat "$work/err")" "app counter is durable only once witnesses have cosigned"
crash
launch
await "a boot" ready
equal "$(count)" 6 "after a crash"
echo '{}' >"$work/settings.json"
check ctl app settings counter "$work/settings.json" "${to[@]}" >/dev/null
contains "$(ctl witness set "$work/none.json" "${to[@]}")" "no witness cosigns the history"
equal "$(count)" 7
echo '{"durable":"witnessed"}' >"$work/settings.json"
! ctl app settings counter "$work/settings.json" "${to[@]}" 2>"$work/err" || fail "durable without witnesses"
contains "$(cat "$work/err")" "there are no witnesses"
check stop
check start
contains "$(ctl get /status "${to[@]}")" '"witness":{"quorum":0}'
check stop

# the one before is away for longer than the seconds: serving stops, and says whose word is wanted; once that has come, it is
# wanted no more.
rm -rf "$work/data"
witness_start w1
witness_start w3
witness_proxy w1
more=(--witness-seconds 8)
first_boot w1
for name in w2 w3; do witness_know "$name" "$origin" "$(log_key)"; done
push counter counter-c
set_of w2
sed -i 's/}$/,"seconds":8}/' "$work/set.json"
echo withhold >"$work/witness-w1/mode"
ctl witness set "$work/set.json" "${to[@]}" >"$work/out" 2>&1 &
changing=$!
await "the end of service" logged "serving has stopped: .*; of those before the change, who must cosign, too; w1 does not"
! wait $changing || fail "an answer from a server that has stopped serving"
contains "$(cat "$work/out")" "the connection broke before the server had answered: it may have done what was asked, or not"
echo pass >"$work/witness-w1/mode"
await "service again" logged "serving goes on"
set_of w2 w3
handed() { ctl witness set "$work/set.json" "${to[@]}" >"$work/out" 2>&1; }
await "a change that waits for no former one" handed
witness_stop w1
contains "$(ctl app push counter "$BUILD/apps/counter-c.wasm" "${to[@]}" --json)" '"witnessed":2'
check stop
