#!/usr/bin/env bash
# Pages that change while the enclave runs: a heap that starts small and grows, and code that is not writable when it
# runs. The emulator's page protections are its EPCM permissions, so /proc shows them. Without EDMM nothing changes.
. "$(dirname "$0")/lib.sh"

sed -e 's:<HeapInitSize>.*</HeapInitSize>:<HeapInitSize>0x400000</HeapInitSize>:' \
    "$SOURCE/config/enclave.config.xml" >"$work/small.xml"
ctl sign --config "$work/small.xml" --key "$BUILD/signing-key.pem" --out "$work/small.signed" "$BUILD/enclave_os.elf" >/dev/null
IMAGE=$work/small.signed

# kilobytes PERMISSIONS: mapped that way inside ELRANGE, which is 4 GiB from 0 up
kilobytes() {
    local total=0 range permissions rest
    while read -r range permissions rest; do
        [ "$permissions" = "$1" ] || continue
        local from=$((16#${range%-*})) to=$((16#${range#*-}))
        [ $to -le $((16#100000000)) ] && total=$((total + (to - from) / 1024))
    done <"/proc/$server/maps"
    echo $total
}

# The heap's place is the 1536 MiB, and a gap, below the code region.
heap_kilobytes() {
    local code total=0 range permissions rest
    code=$((16#$(awk '$2 == "rwxp" {split($1, r, "-"); print r[1]; exit}' "/proc/$server/maps")))
    while read -r range permissions rest; do
        [ "$permissions" = rw-p ] || continue
        local from=$((16#${range%-*})) to=$((16#${range#*-}))
        [ $from -ge $((code - 0x60010000)) ] && [ $to -le $code ] && total=$((total + (to - from) / 1024))
    done <"/proc/$server/maps"
    echo $total
}

check start
contains "$(grep '^memory:' "$work/server.log")" "EDMM: heap 4 MiB, growing to 1536"
image_code=$(kilobytes r-xp)
[ "$(kilobytes rwxp)" -gt 200000 ] || fail "the code region is not there"
push hello hello-c # compiling takes more than 4 MiB
equal "$(status /hello/)" 200
code=$(($(kilobytes r-xp) - image_code))
[ $code -gt 0 ] || fail "the guest's code is not made read-only"
heap=$(heap_kilobytes)
[ "$heap" -gt 4096 ] || fail "the heap has not grown: $heap KiB are writable"
ctl app rm hello "${to[@]}" >/dev/null
push again hello-c # in pages that were used before: writable, then not
push counter counter-c
equal "$(status /again/)" 200
equal "$(status /counter/)" 200
stop

# A host that says that it cut the permissions, and did not, is caught, and that is the end.
honest=$HOST
HOST=$BUILD/bin/lying_host
LIE=success check start --data "$work/data3"
first_use
! timeout $hang "$BUILD/bin/enclavectl" app push hello "$BUILD/apps/hello-c.wasm" "${to[@]}" >/dev/null 2>&1 || fail "a lie about permissions went unnoticed"
await "the end of the server after the lie" gone "$server"
server=
contains "$(cat "$work/server.log")" "the enclave has died"
# One that refuses only fails the deployment.
LIE=refuse check start --data "$work/data4"
! push hello hello-c 2>/dev/null || fail "code whose permissions were not cut was taken"
equal "$(status /healthz)" 200
stop
HOST=$honest

IMAGE=$BUILD/enclave_os.signed
check start --no-edmm --data "$work/data2"
contains "$(grep '^memory:' "$work/server.log")" "no EDMM: heap 1536 MiB, fixed"
image_code=$(kilobytes r-xp)
push hello hello-c
equal "$(kilobytes r-xp)" "$image_code" "code pages with --no-edmm"
equal "$(status /hello/)" 200
stop
echo "the heap has grown to $heap KiB, $code KiB of code were read-only"
