#!/usr/bin/env bash
# MRENCLAVE and SIGSTRUCT of the built image, and of a small one, by crates that this project did not write.
set -euo pipefail
cd "$(dirname "$0")"
. ../../scripts/progress.sh

fail() { echo "FAILED: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR=$cache/independent-target
step "crates that measure images" 60 cargo build --release --locked --quiet
tool=$CARGO_TARGET_DIR/release/independent

# compare IMAGE KEY: its MRENCLAVE by our tool and by theirs
compare() {
    local ours theirs
    ours=$("$BUILD/bin/enclavectl" measure "$1")
    theirs=$("$BUILD/bin/pages" "$1" | "$tool" "$2") || fail "$1"
    echo "$theirs"
    [ "${theirs%% *}" = "$ours" ] || fail "$1: we say $ours, they say ${theirs%% *}"
}

compare "$BUILD/enclave_os.signed" "$BUILD/signing-key.pem"

# Another layout, with room to grow, fewer threads, other attributes, another key and date.
sed -e 's:<HeapInitSize>.*</HeapInitSize>:<HeapInitSize>0x7000</HeapInitSize>:' \
    -e 's:<TCSNum>.*</TCSNum>:<TCSNum>3</TCSNum>:' -e 's:<ISVSVN>.*</ISVSVN>:<ISVSVN>513</ISVSVN>:' \
    -e 's:<MiscSelect>.*</MiscSelect>:<MiscSelect>1</MiscSelect>:' -e 's:<MiscMask>.*</MiscMask>:<MiscMask>0xFFFFFFFF</MiscMask>:' \
    ../../config/enclave.config.xml >"$work/other.xml"
"$BUILD/bin/enclavectl" sign --config "$work/other.xml" --key "$work/other.pem" --date 20240229 --out "$work/other.signed" \
    "$BUILD/enclave_os.elf" >/dev/null 2>&1
compare "$work/other.signed" "$work/other.pem"

# It notices: one bit of a page, of a SIGSTRUCT, another key.
"$BUILD/bin/pages" "$work/other.signed" >"$work/pages"
broken() { # OFFSET: flip a bit there
    cp "$work/pages" "$work/broken"
    printf "\\x$(printf %02x $(($(od -An -tu1 -j "$1" -N 1 "$work/broken") ^ 1)))" |
        dd of="$work/broken" bs=1 seek="$1" conv=notrunc status=none
    ! "$tool" "$work/other.pem" <"$work/broken" >/dev/null 2>&1 || fail "a flipped bit at $1 goes unnoticed"
}
size=$(stat -c %s "$work/pages")
broken 8                      # SECS.SIZE
broken 5000                   # a page
broken $((size - 1808 + 961)) # ENCLAVEHASH
broken $((size - 1808 + 600)) # the signature
broken $((size - 1))          # Q2
"$tool" "$BUILD/signing-key.pem" <"$work/pages" >/dev/null 2>&1 && fail "another key goes unnoticed"
echo "independent: the same"
