#!/usr/bin/env bash
# What is installed: a stranger can build against it, sees nothing else of us, and the documents name what there is.
#     install_test.sh BUILD SOURCE CC
set -euo pipefail
build=$1 source=$2 cc=$3
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

cmake --install "$build" --component verifier --prefix "$prefix" >/dev/null
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name enclave-verifier.pc)")
library=$(dirname "$(find "$prefix" -name libenclave-verifier.so)")
sed -i "s,^prefix=.*,prefix=$prefix," "$PKG_CONFIG_PATH/enclave-verifier.pc"

# the example in the documentation, against the shared and the static library, and the headers by themselves
awk '/^```c$/ {on = 1; next} /^```$/ {on = 0} on' "$source/docs/verify.md" >"$prefix/example.c"
flags=(-std=c17 -Wall -Wextra -Wpedantic -Werror)
read -ra cflags < <(pkg-config --cflags enclave-verifier)
read -ra libs < <(pkg-config --libs enclave-verifier)
"$cc" "${flags[@]}" "${cflags[@]}" "$prefix/example.c" -o "$prefix/shared" "${libs[@]}" -lssl -lcrypto
LD_LIBRARY_PATH=$library "$prefix/shared" || fail "the example with the shared library"
"$cc" "${flags[@]}" "${cflags[@]}" "$prefix/example.c" -o "$prefix/static" "$library/libenclave-verifier.a" -lssl -lcrypto
"$prefix/static" || fail "the example with the static library"
for header in "$prefix"/include/enclave-verifier/*.h; do
    "$cc" "${flags[@]}" "${cflags[@]}" -fsyntax-only -x c "$header" -Wno-unknown-warning-option 2>"$prefix/said" ||
        fail "$(cat "$prefix/said")"
    c++ -fsyntax-only -x c++ "${cflags[@]}" "$header" || fail "$header is not C++"
    ! grep -nE '#include "(common|enclave|host|sgx)/' "$header" || fail "$header shows our tree"
done

# the shared library's symbols are the declared functions, and so is the manual's list
grep -ohE '\bverifier_[a-z0-9_]+\(' <(sed -n '/VERIFIER_API/,/;/p' "$prefix"/include/enclave-verifier/*.h) |
    tr -d '(' | LC_ALL=C sort -u >"$prefix/declared"
{
    nm -D --defined-only "$library/libenclave-verifier.so" | awk '{print $3}'
    sed -nE 's/^static inline .*\b(verifier_[a-z0-9_]+)\(.*/\1/p' "$prefix"/include/enclave-verifier/*.h # which nothing exports
} | LC_ALL=C sort >"$prefix/exported"
diff "$prefix/declared" "$prefix/exported" || fail "exported symbols are not the declared functions"
man=$(find "$prefix" -name enclave-verifier.3)
grep -oE '\bverifier_[a-z0-9_]+\(' "$man" | tr -d '(' | LC_ALL=C sort -u >"$prefix/manual"
diff "$prefix/declared" "$prefix/manual" || fail "the manual's functions are not the declared ones"
needed=$(readelf -d "$library/libenclave-verifier.so" | awk '/NEEDED/ {print $5}' | tr -d '[]' | LC_ALL=C sort | tr '\n' ' ')
[ "$needed" = "libc.so.6 libcrypto.so.3 libssl.so.3 " ] || fail "the shared library needs: $needed"

# the table of checks in the documentation is the code's
cat >"$prefix/table.c" <<'C'
#include <enclave-verifier/verifier.h>
#include <stdio.h>
int main(void)
{
    for (size_t i = 0; verifier_check_name(i); i++)
        printf("| `%s` | %s |\n", verifier_check_name(i), verifier_check_meaning(i));
    return 0;
}
C
"$cc" "${cflags[@]}" "$prefix/table.c" -o "$prefix/table" "$library/libenclave-verifier.a" -lssl -lcrypto
diff <("$prefix/table") <(sed -n '/^| check | holds if |/,/^$/p' "$source/docs/verify.md" | grep '^| `') ||
    fail "the table in docs/verify.md is not the code's"
echo "installed as declared"
