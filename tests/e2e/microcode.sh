#!/usr/bin/env bash
# After an update of the microcode the master key is sealed again, and the older blob is gone, wherever the host was killed
# meanwhile; when the update is taken back, or the folder comes to another CPU, the store is refused in words and left alone.
. "$(dirname "$0")/lib.sh"

microcode() { echo "$1" >"$work/sim/cpu-svn"; }
blob() { "$BUILD/bin/lmdb_tool" "$work/data" show master | sha256sum; }
copy() { "$BUILD/bin/lmdb_tool" "$work/data" show master-copy | sha256sum; } # it is kept twice
digest() { "$BUILD/bin/lmdb_tool" "$work/data" digest; }
count() { get /counter/ | grep -o '[0-9]*' | tail -n 1; }
# refused TEXT [option ...]: nothing is served, a line has TEXT, and the store is as it was
refused() {
    local text=$1 before
    shift
    before=$(digest)
    ! start "$@" || fail "it was served, and should not have been: $text"
    server=
    check logged "$text"
    equal "$(digest)" "$before" "the store that was refused"
}
sealed_again='the master key is sealed again, and the older blob gone'

check start
push counter counter-c
equal "$(count)" 1
check stop
first=$(blob)

# ---- the same microcode: nothing is sealed --------------------------------------------------------------------------
check start
equal "$(count)" 2
! logged 'sealed again' || fail "sealed again without a reason"
check stop
equal "$(blob)" "$first" "the blob under the same microcode"

# ---- newer: once, with the same key in it ---------------------------------------------------------------------------
microcode 2
check start
check logged "$sealed_again"
equal "$(count)" 3
check stop
second=$(blob)
[ "$second" != "$first" ] || fail "it was not sealed again"
equal "$(copy)" "$second" "the second copy"
check start
! logged 'sealed again' || fail "sealed again a second time"
equal "$(count)" 4
check stop
equal "$(blob)" "$second"

# ---- older: the processor has no key for it -------------------------------------------------------------------------
microcode 1
refused 'sealed under newer microcode than this CPU has now (an update was taken back), or on another CPU'
microcode 2
check start
equal "$(count)" 5
check stop

# ---- another CPU, of the same and of newer microcode; and one of older ---------------------------------------------
mkdir "$work/elsewhere"
for version in 2 3; do
    echo $version >"$work/elsewhere/cpu-svn"
    refused 'sealed by another enclave image (other MRENCLAVE), in another debug mode, or on another CPU' \
        --sim-dir "$work/elsewhere"
done
echo 1 >"$work/elsewhere/cpu-svn"
refused 'or on another CPU' --sim-dir "$work/elsewhere"
for wrong in '' 0 256 two 1x "$(printf '1\n2')"; do
    printf '%s' "$wrong" >"$work/elsewhere/cpu-svn"
    refused 'elsewhere/cpu-svn: expected a number from 1 to 255' --sim-dir "$work/elsewhere"
done

# ---- killed at each moment of what a start asks of its host, until it has sealed again ---------------------------------
cp -r "$work/data" "$work/before"
microcode 3
kept=0 written=0
for moment in $(seq 100); do
    rm -rf "$work/data"
    cp -r "$work/before" "$work/data"
    export KILL_AT=$moment
    ! HOST=$BUILD/bin/lying_store start || fail "moment $moment did not come before it served"
    unset KILL_AT
    server=
    check logged "killed at moment $moment"
    if [ "$(blob)" = "$second" ]; then
        kept=$((kept + 1))
    else
        written=$((written + 1))
    fi
    after=$(blob)
    check start
    [ "$after" != "$second" ] || check logged "$sealed_again"
    [ "$after" = "$second" ] || equal "$(blob)" "$after" "what was sealed before the host was killed"
    [ "$(blob)" != "$second" ] || fail "moment $moment: it was not sealed again"
    equal "$(copy)" "$(blob)" "moment $moment: the second copy"
    equal "$(count)" 6 "moment $moment"
    check stop
    [ $written -lt 2 ] || break
done
[ $kept -gt 2 ] && [ $written -eq 2 ] || fail "killed $kept times before it was written, $written times after"
echo "killed $kept times before the new blob was written, $written times after"
