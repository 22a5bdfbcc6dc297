#!/usr/bin/env bash
# Sealed state: counters survive restart and kill -9, apps do not see each other's keys, another image cannot unseal.
. "$(dirname "$0")/lib.sh"

check start
push one counter-c
push two counter-c
for n in 1 2 3; do equal "$(get /one/ | grep -o '[0-9]*' | tail -n 1)" $n "counter of app one"; done
equal "$(get /two/ | grep -o '[0-9]*' | tail -n 1)" 1 "app two has keys of its own"
equal "$(echo $(get /one/many))" "three - one -" "many keys at once"
check stop

check start
equal "$(get /one/ | grep -o '[0-9]*' | tail -n 1)" 4 "after a restart"
crash
check start
equal "$(get /one/ | grep -o '[0-9]*' | tail -n 1)" 5 "after kill -9"

# kill -9 in the middle of many writes: whatever was acknowledged is there
for round in 1 2 3; do
    : >"$work/acknowledged"
    (while get /one/ | grep -o '[0-9]*' | tail -n 1 >>"$work/acknowledged" && [ -n "$server" ]; do :; done) 2>/dev/null &
    writer=$!
    await "some acknowledged counts" lines "$work/acknowledged" $((5 + RANDOM % 20))
    crash
    wait $writer 2>/dev/null || true
    last=$(tail -n 1 "$work/acknowledged")
    check start
    now=$(get /one/ | grep -o '[0-9]*' | tail -n 1)
    [ "$now" -gt "$last" ] || fail "round $round: acknowledged $last, but the counter then said $now"
done
check stop

# another image: same files, other MRENCLAVE (another ProdID would not do: it is not measured; another heap is)
sed 's|<HeapInitSize>.*</HeapInitSize>|<HeapInitSize>0x50000000</HeapInitSize>|' "$SOURCE/config/enclave.config.xml" >"$work/other.xml"
ctl sign --config "$work/other.xml" --key "$BUILD/signing-key.pem" --out "$work/other.signed" "$BUILD/enclave_os.elf" >/dev/null
before=$("$BUILD/bin/lmdb_tool" "$work/data" digest)
! IMAGE=$work/other.signed start || fail "another image opened the store"
contains "$(cat "$work/server.log")" "sealed by another enclave image"
server=
equal "$("$BUILD/bin/lmdb_tool" "$work/data" digest)" "$before" "the store after another image tried"
check start
check stop
