#!/usr/bin/env bash
# The same source gives the same MRENCLAVE: the build folder's image, and one that is built in another folder, at another
# time, by another user with different surroundings, are the same bytes. The libraries of wasmtime and OpenSSL are inputs (docs/reproduce.md tells how to
# rebuild them too).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# The other user must be able to read what is built; the caches may lie in folders that it cannot enter.
chmod 755 "$work"
cp -r "$WASMTIME_DIR" "$work/wasmtime"
cp -r "$OPENSSL_INSIDE_DIR" "$work/openssl"
cp -r "$("$SOURCE/http-parsers/fetch.sh")" "$work/http-parsers"
cp -r "$("$SOURCE/enclave/page/script.sh")" "$work/page-script"
chmod -R a+rX "$work/wasmtime" "$work/openssl" "$work/http-parsers" "$work/page-script"

# source_into FOLDER: the tracked files, as they are in the working tree
source_into() {
    mkdir -p "$1"
    (cd "$SOURCE" && git -c safe.directory="$SOURCE" ls-files -z --cached --others --exclude-standard |
        tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -xf - -C "$1"
}

# build SOURCE BUILD: the signed image and its tool, nothing else. Prints MRENCLAVE. Run as any user.
cat >"$work/build.sh" <<'INNER'
set -euo pipefail
cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWASMTIME_DIR="$3" -DOPENSSL_INSIDE_DIR="$4" \
    -DHTTP_PARSERS_DIR="$5" -DPAGE_SCRIPT_DIR="$6" >"$2.log" 2>&1 &&
    ninja -C "$2" signed_image >>"$2.log" 2>&1 || { tail -n 30 "$2.log" >&2; exit 1; }
"$2/bin/enclavectl" measure "$2/enclave_os.signed"
INNER

# A folder of another depth and length, files dated years back, another umask, locale, time zone, home,
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
[ "${#run[@]}" -gt 0 ] || echo "note: not root, so both builds may be by one user"
other_mrenclave=$("${run[@]}" "${other[@]}" "$work/build.sh" "$second" "$work/out/build-tree" "$work/wasmtime" \
    "$work/openssl" "$work/http-parsers" "$work/page-script")

# The page's script is made once more, in another place, of the packages that are there.
mkdir "$work/cache"
ln -s "$(dirname "$("$SOURCE/bindings/javascript/test/packages.sh")")" "$work/cache/"
made=$(cd "$second" && env -i "PATH=$PATH" "HOME=$work/home" LC_ALL=C.UTF-8 TZ=Pacific/Kiritimati ENCLAVE_OS_CACHE="$work/cache" \
    bash enclave/page/script.sh)
diff -r "$work/page-script" "$made" || fail "the page's script differs"

first=$("$BUILD/bin/enclavectl" measure "$BUILD/enclave_os.signed")
[[ $first =~ ^[0-9a-f]{64}$ ]] || fail "no measurement: '$first'"
[ "$first" = "$other_mrenclave" ] || {
    cmp "$BUILD/enclave_os.elf" "$work/out/build-tree/enclave_os.elf" >&2 || true
    fail "this build folder's image measures $first, a clean build $other_mrenclave"
}
cmp "$BUILD/enclave_os.elf" "$work/out/build-tree/enclave_os.elf" || fail "the images differ"

# The measurement means something: two changed bytes of code change it.
cp "$BUILD/enclave_os.elf" "$work/changed.elf"
code=$(readelf -lW "$work/changed.elf" | awk '$1 == "LOAD" && / E /&& !n++ {print $2}') # where the code starts in the file
printf '\314\314' | dd of="$work/changed.elf" bs=1 seek=$((code + 4096)) conv=notrunc status=none
changed=$("$BUILD/bin/enclavectl" measure --config "$second/config/enclave.config.xml" "$work/changed.elf")
[ "$changed" != "$first" ] || fail "a changed image has the same measurement"
echo "MRENCLAVE $first, twice"
