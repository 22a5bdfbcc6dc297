#!/usr/bin/env bash
# The same source gives the same MRENCLAVE: the image is built twice, in two folders, at two times, as two users with
# different surroundings, and measured. wasmtime's library is an input (docs/reproduce.md tells how to rebuild it too).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# The other user must be able to read what is built; the caches may lie in folders that it cannot enter.
chmod 755 "$work"
cp -r "$WASMTIME_DIR" "$work/wasmtime"
cp -r "$("$SOURCE/http-parsers/fetch.sh")" "$work/http-parsers"
chmod -R a+rX "$work/wasmtime" "$work/http-parsers"

# source FOLDER: the tracked files, as they are in the working tree
source_into() {
    mkdir -p "$1"
    (cd "$SOURCE" && git -c safe.directory="$SOURCE" ls-files -z --cached --others --exclude-standard |
        tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -xf - -C "$1"
}

# build SOURCE BUILD: the signed image and its tool, nothing else. Prints MRENCLAVE. Run as any user.
cat >"$work/build.sh" <<'INNER'
set -euo pipefail
cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWASMTIME_DIR="$3" -DHTTP_PARSERS_DIR="$4" >"$2.log" 2>&1 &&
    ninja -C "$2" signed_image >>"$2.log" 2>&1 || { tail -n 30 "$2.log" >&2; exit 1; }
"$2/bin/enclavectl" measure "$2/enclave_os.signed"
INNER

source_into "$work/first"
first=$(bash "$work/build.sh" "$work/first" "$work/first/build" "$work/wasmtime" "$work/http-parsers")

# The second: a folder of another depth and length, files dated years back, another umask, locale, time zone, home,
# user and (where namespaces allow) host name.
second=$work/a/rather/different/place/for/the/second
source_into "$second"
find "$second" -exec touch -d '2009-02-13 23:31:30' {} +
mkdir -p "$work/home" "$work/out"
other=(env -i "PATH=$PATH" "HOME=$work/home" LANG=C.UTF-8 LC_ALL=C.UTF-8 TZ=Pacific/Kiritimati TMPDIR="$work/home"
       CFLAGS= bash -c 'umask 077; exec bash "$@"' bash)
[ "$(id -u)" -ne 0 ] || chown -R 65534:65534 "$second" "$work/home" "$work/out"
run=()
if [ "$(id -u)" -eq 0 ]; then
    run=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    unshare --uts true 2>/dev/null && run=(unshare --uts sh -c 'hostname elsewhere; exec "$@"' sh "${run[@]}")
fi
[ "${#run[@]}" -gt 0 ] || echo "note: not root, so both builds are by one user"
other_mrenclave=$("${run[@]}" "${other[@]}" "$work/build.sh" "$second" "$work/out/build-tree" "$work/wasmtime" "$work/http-parsers")

[[ $first =~ ^[0-9a-f]{64}$ ]] || fail "no measurement: '$first'"
[ "$first" = "$other_mrenclave" ] || {
    cmp "$work/first/build/enclave_os.elf" "$work/out/build-tree/enclave_os.elf" >&2 || true
    fail "two builds, two measurements: $first and $other_mrenclave"
}
cmp "$work/first/build/enclave_os.elf" "$work/out/build-tree/enclave_os.elf" || fail "the images differ"

# What the tool says is what the build folder's own image has, unless that was built from other sources.
if [ -f "$BUILD/enclave_os.signed" ]; then
    here=$("$BUILD/bin/enclavectl" measure "$BUILD/enclave_os.signed")
    [ "$here" = "$first" ] || fail "this build folder's image measures $here, a clean build $first"
fi

# The measurement means something: two changed bytes of code change it.
cp "$work/first/build/enclave_os.elf" "$work/changed.elf"
code=$(readelf -lW "$work/changed.elf" | awk '$1 == "LOAD" && / E /{print $2; exit}') # where the code starts in the file
printf '\314\314' | dd of="$work/changed.elf" bs=1 seek=$((code + 4096)) conv=notrunc status=none
changed=$("$work/first/build/bin/enclavectl" measure --config "$second/config/enclave.config.xml" "$work/changed.elf")
[ "$changed" != "$first" ] || fail "a changed image has the same measurement"
echo "MRENCLAVE $first, twice"
