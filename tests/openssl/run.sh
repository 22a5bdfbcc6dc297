#!/usr/bin/env bash
# OpenSSL's own known-answer tests, against the very library that is in the image. The crate that carries its sources leaves
# the folder test/ out (nothing but build.info is in it); what it has of OpenSSL's tests are those that a FIPS module makes of
# itself at its start, in providers/fips. They are compiled here for a program of their own, once per library and outside the
# tree, and run each time. The program must know of what the image uses: a list of what it says is here.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ../../scripts/progress.sh

libraries=$(../../openssl/build.sh)
out=$cache/openssl-self-tests-$(cat self_tests.c generator.h run.sh <(echo "$libraries") | sha256sum | cut -c1-16)
build() {
    local sources
    [ ! -f "$out/complete" ] || return 0 # another build has made it meanwhile
    scratch=$(mktemp -d -p "$cache")
    trap 'rm -rf "$scratch"' EXIT
    (cd ../../openssl && cargo vendor --quiet --locked "$scratch/vendor" >/dev/null)
    sources=$scratch/vendor/openssl-src/openssl
    mkdir -p "$out"
    # what is generated for this library comes first: the sources have only its templates
    cc -O2 -I "$libraries/include" -I "$sources/include" -I "$sources/providers/fips" -I "$sources/providers/fips/include" \
        -I "$sources/providers/common/include" -include generator.h -c "$sources/providers/fips/self_test_kats.c" -o "$scratch/kats.o"
    cc -O2 -Wall -Wextra -Werror -I "$libraries/include" -I ../.. self_tests.c "$scratch/kats.o" "$libraries/libcrypto.a" -pthread \
        -o "$out/self_tests"
    touch "$out/complete"
}
[ -f "$out/complete" ] || locked openssl-self-tests build

"$out/self_tests" | tee "$out/said"
for part in "Digest SHA2" "Cipher AES_GCM" "Signature RSA" "Signature ECDSA" "Signature EDDSA" "KDF TLS13_KDF_EXTRACT" \
    "KDF TLS13_KDF_EXPAND" "KDF TLS12_PRF" "KDF HKDF" "DRBG CTR" "KA ECDH" "KEM KEM_Encap" "KEM KEM_Decap" "KEM KEM_Decap_Reject"; do
    grep -q "^passed  \(KAT_\)\?$part\$" "$out/said" || { echo "there is no known answer of $part"; exit 1; }
done
