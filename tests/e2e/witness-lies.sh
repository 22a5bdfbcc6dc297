#!/usr/bin/env bash
# A host between the enclave and its witnesses that withholds, delays, replays, forges or invents their answers; a witness
# that is down; two of three, with one that lies. Nothing of it passes for a cosignature, and what is too old is not served.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"

# ---- at the gate: nothing but a cosignature of this start opens it ---------------------------------------------------
witness_start w1
witness_proxy w1
more=(--witness-seconds 8)
first_boot w1
push counter counter-c
equal "$(count)" 1
check stop
for mode in withhold late forge garbage huge replay; do
    echo $mode >"$work/witness-w1/mode"
    launch
    witness_mode w1 $mode
    case $mode in
    withhold | late | garbage) await "what w1 said: $mode" logged "witness w1 does not answer" ;;
    huge) await "what w1 said: $mode" logged "witness w1 answers what no witness does" ;;
    *) await "what w1 said: $mode" logged "witness w1 gives no cosignature of its key over this checkpoint" ;;
    esac
    ! ready || fail "$mode: it is served"
    ! status /healthz >/dev/null || fail "$mode: it answers"
    if [ $mode = late ]; then # what was cosigned behind its back is no fork: the next question begins there
        echo pass >"$work/witness-w1/mode"
        await "after $mode" ready
        check stop
        continue
    fi
    kill -TERM "$server"
    wait "$server" || fail "$mode: a boot that waits for witnesses does not end at SIGTERM"
    server=
done
# what says that its log is another one ends the boot
for mode in ahead conflict; do
    echo $mode >"$work/witness-w1/mode"
    launch
    ends_with 1 "no quorum of witnesses is left"
done
echo pass >"$work/witness-w1/mode"
launch
await "an honest host" ready
counted() { number=$(count) && [ -n "$number" ]; } # unless this machine is so slow that it is stopped again
await "an answer" counted
equal "$number" 2

# ---- while it runs: 8 seconds without a cosignature, and nothing is served until there is one -------------------------
for mode in withhold replay forge; do
    witness_mode w1 $mode
    await "the end of service: $mode" logged "serving has stopped: for 8 seconds no quorum of witnesses"
    equal "$(status /counter/)" 503 "$mode"
    equal "$(status /healthz)" 200 "$mode"
    equal "$(status /_enclave/log/checkpoint)" 200 "$mode"
    ! ctl get /readyz "${to[@]}" >"$work/readyz" 2>&1 || fail "$mode: it says that it is ready"
    contains "$(cat "$work/readyz")" "no quorum of witnesses has cosigned"
    contains "$(ctl get /metrics "${to[@]}")" '"stopped":1'
    echo pass >"$work/witness-w1/mode"
    await "service again" logged "serving goes on"
    served() { [ "$(status /hello/)" = 404 ]; }
    await "service again after $mode" served
    : >"$work/server.log"
done
await "an answer" counted
[ "$number" -ge 3 ] || fail "the counter went back: $number"
# a witness that is down is the same
witness_stop w1
await "a witness that is down" logged "serving has stopped: for 8 seconds"
witness_start w1
await "its return" logged "serving goes on"
# an answer that says that another copy was seen ends it for good
: >"$work/server.log"
witness_mode w1 ahead
await "the end" logged "serving has stopped: no quorum of witnesses is left that could cosign this log; w1 has seen 1000000"
echo pass >"$work/witness-w1/mode"
equal "$(status /counter/)" 503
! push hello hello-c 2>/dev/null || fail "a push"
check stop
rm -rf "$work/data"

# ---- two of three: one may lie, or be down ----------------------------------------------------------------------------
witness_start w2
witness_start w3
more=(--witness-quorum 2)
witness_forget w1
witness_start w1
witness_proxy w1
first_boot w1 w2 w3
push counter counter-c
for mode in forge withhold conflict; do
    echo $mode >"$work/witness-w1/mode"
    : >"$work/witness-w1/asked"
    contains "$(ctl app push hello "$BUILD/apps/hello-c.wasm" "${to[@]}" --json)" '"witnessed":2'
    await "a question to w1" grep -q "^$mode " "$work/witness-w1/asked"
    equal "$(status /counter/)" 200 "$mode of one in three"
done
! logged "serving has stopped" || fail "one that lies stopped it"
await "its refusal" logged "witness w1 has seen another log"
contains "$(ctl get /metrics "${to[@]}")" '"refused":1'
witness_stop w2 # and now only one is left
await "one of three" logged "serving has stopped: for 60 seconds"
witness_start w2
await "two of three" logged "serving goes on"
check stop
