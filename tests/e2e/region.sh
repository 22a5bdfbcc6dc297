#!/usr/bin/env bash
# The enclave's region for compiled code, made small by the image: what no longer fits is refused in words, nothing else
# notices, and what goes makes room, for as many rounds as one likes.
. "$(dirname "$0")/lib.sh"

sed -e 's:<ReservedMemInitSize>.*<:<ReservedMemInitSize>0x100000<:' -e 's:<ReservedMemMaxSize>.*<:<ReservedMemMaxSize>0x100000<:' \
    "$SOURCE/config/enclave.config.xml" >"$work/small.xml"
ctl sign --config "$work/small.xml" --key "$BUILD/signing-key.pem" --out "$work/small.signed" "$BUILD/enclave_os.elf" >/dev/null
IMAGE=$work/small.signed

fill() { # as many apps as there is room for; the next one is refused
    count=0
    while ctl app push "app$count" "$BUILD/apps/echo.wasm" "${to[@]}" >/dev/null 2>"$work/why"; do
        count=$((count + 1))
        [ $count -lt 200 ] || fail "200 apps in a region of a MiB"
    done
    contains "$(cat "$work/why")" "the enclave's region for code has no room for it: remove an app, or give the enclave a larger region (ReservedMemMaxSize)"
}
check start
fill
first=$count
[ "$first" -ge 2 ] || fail "there is room for $first"
for i in $(seq 0 $((first - 1))); do equal "$(get "/app$i/" -d "$i")" "$i" "an app in a full region"; done
equal "$(status "/app$first/")" 404 "what was refused"
ctl app push app0 "$BUILD/apps/hello-c.wasm" "${to[@]}" >/dev/null 2>&1 || equal "$(get /app0/ -d 0)" 0 "an app that was not replaced"
for round in 1 2 3; do
    for i in $(seq 0 $((first - 1))); do check ctl app rm "app$i" "${to[@]}" >/dev/null; done
    fill
    equal "$count" "$first" "apps in round $round"
done
check stop
check start
equal "$(get "/app$((first - 1))/" -d x)" x "after a restart"
check stop
echo "a region of a MiB has room for $first apps"
