#!/usr/bin/env bash
# Build OpenSSL's static libraries once per lock file and print the folder that holds libssl.a, libcrypto.a and include/.
# With --made, fail where they are not built yet.
# The result is kept outside the tree, so that neither a clean tree nor a second checkout builds it again.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../scripts/progress.sh

# What an enclave has no use for is not in it: whatever would ask an operating system, old protocols, formats that nobody
# here reads, and algorithms that TLS 1.3, TLS 1.2 with ECDHE and our own formats do not name.
options=(
    linux-x86_64 --release --prefix=/nonexistent --openssldir=/nonexistent
    no-shared no-module no-dso no-engine no-apps no-tests no-docs no-legacy no-fips
    no-autoload-config no-ui-console no-async no-secure-memory no-thread-pool no-default-thread-pool no-filenames
    no-ssl3 no-tls1 no-tls1_1 no-dtls no-quic no-srtp no-srp no-psk no-nextprotoneg no-multiblock no-ktls
    no-cms no-cmp no-ts no-ct no-ocsp no-http no-rfc3779
    no-dh no-dsa no-ec2m no-tls-deprecated-ec no-gost no-sm2 no-sm3 no-sm4 no-ml-dsa no-slh-dsa
    no-aria no-bf no-blake2 no-argon2 no-scrypt no-camellia no-cast no-des no-idea no-md4 no-mdc2 no-ocb no-rc2 no-rc4
    no-rmd160 no-seed no-siphash no-siv no-whirlpool
    enable-ec_nistp_64_gcc_128 # as Debian's: P-384 and P-521 in constant time
    enable-zlib                # certificates, compressed (RFC 8879); nothing else is
)
flags="-O2 -fstack-protector-strong -fstack-clash-protection -ffunction-sections -fdata-sections"
changes=$PWD/memory.patch
out=$cache/openssl-$(cat Cargo.toml Cargo.lock build.sh "$changes" <(cc --version) <(as --version) | sha256sum | cut -c1-16)

# Of zlib, what compresses and expands a block of memory; inside libcrypto.a, which alone uses it.
zlib=(adler32 compress crc32 deflate inffast inflate inftrees trees uncompr zutil)

# make_libraries FOLDER: in a copy of the sources, so that all names within are relative, and no path gets into a library
make_libraries() ( # in a shell of its own
    cd "$1/openssl-src/openssl"
    # Nobody's settings but these.
    unset CPPFLAGS CXXFLAGS LDFLAGS MAKEFLAGS
    export LC_ALL=C SOURCE_DATE_EPOCH=0 CC=cc CFLAGS=$flags
    cp -r ../../libz-sys/src/zlib zlib
    {
        (cd zlib && for part in "${zlib[@]}"; do cc $flags -c "$part.c" -o "$part.o" || exit; done) &&
            patch -p1 -F0 --no-backup-if-mismatch <"$changes" &&
            perl Configure "${options[@]}" --with-zlib-include=zlib && make -s -j"$(nproc)" build_libs &&
            (cd zlib && ar rsD ../libcrypto.a "${zlib[@]/%/.o}")
    } >../log 2>&1
)

build() {
    local scratch
    [ ! -f "$out/complete" ] || return 0 # another build has made it meanwhile
    scratch=$(mktemp -d -p "$cache")
    cargo vendor --quiet --locked "$scratch/vendor" >/dev/null
    step "OpenSSL" 180 make_libraries "$scratch/vendor" || {
        tail -n 40 "$scratch/vendor/openssl-src/log" >&2
        rm -rf "$scratch"
        return 1
    }
    rm -rf "$out" && mkdir -p "$out/include"
    cp "$scratch"/vendor/openssl-src/openssl/lib{ssl,crypto}.a "$scratch"/vendor/openssl-src/openssl/LICENSE.txt "$out/"
    cp "$scratch/vendor/libz-sys/src/zlib/LICENSE" "$out/LICENSE.zlib"
    cp -r "$scratch/vendor/openssl-src/openssl/include/openssl" "$out/include/"
    touch "$out/complete"
    rm -rf "$scratch"
}
if [ ! -f "$out/complete" ]; then
    [ "${1:-}" != --made ] || exit 1
    locked openssl build
fi
echo "$out"
