#!/usr/bin/env bash
# Two of three witnesses, and a host that keeps one of them away, to have it cosign later what the others would not: two
# quorums have one in common, so that is not served. What it takes: one of the two that had cosigned, which forgets that.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/witness_lib.sh"

for name in w1 w2 w3; do witness_start $name; done
witness_proxy w3
more=(--witness-quorum 2 --witness-seconds 86400) # nothing comes by the clock
first_boot w1 w2 w3
push counter counter-c
equal "$(count)" 1
check stop
cosigned() { [ "$(witness_size "$1" "$origin")" = "$2" ]; } # NAME SIZE

# ---- the store and two databases as they are now; then two cosign what the third is kept from ----------------
launch
await "a start" ready
head=$(get /_enclave/log/checkpoint | sed -n 2p)
for name in w1 w2 w3; do await "$name's cosignature" cosigned $name "$head"; done
check stop
cp -r "$work/data" "$work/before"
keep() { # NAME: its database as it is
    witness_stop "$1"
    mkdir "$work/$1-before"
    cp "$work/witness-$1"/db* "$work/$1-before"
    witness_start "$1"
}
forget() { # NAME: what was since then
    witness_stop "$1"
    rm -f "$work/witness-$1"/db*
    cp "$work/$1-before"/db* "$work/witness-$1"
    witness_start "$1"
    equal "$(witness_size "$1" "$origin")" "$head" "what $1 knows"
}
keep w1
keep w3
echo withhold >"$work/witness-w3/mode"
launch
await "a start by two of three" ready
equal "$(count)" 2
contains "$(ctl app push hello "$BUILD/apps/hello-c.wasm" "${to[@]}" --json)" '"witnessed":2'
check stop

# ---- the store is put back, and the third one would cosign it: that is not enough ------------------------------------
rm -rf "$work/data"
cp -r "$work/before" "$work/data"
witness_passes w3
launch
ends_with 1 "no quorum of witnesses is left that could cosign this log"
! logged '^ready' || fail "a store that was put back was served"
check logged 'w1 has seen'
check logged 'w2 has seen'

# ---- what remains: one of those that had cosigned forgets it ----------------------------------------------------------
rm -rf "$work/data"
cp -r "$work/before" "$work/data"
forget w1
forget w3 # if it was asked in vain
launch
await "a start" ready
equal "$(count)" 2 "a counter that went back: two of three, one of which forgot"
check stop
