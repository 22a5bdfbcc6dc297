#!/usr/bin/env bash
# ./dev lint: what the compiler does not say. Dependency arrows, format, the built image, scripts, file sizes.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
bad() { echo "lint: $*"; failed=$((failed + 1)); }

# Arrows between rooms and between files, as the linker sees them: tests/rooms.txt.
if [ -f build/enclave_os.elf ]; then
    while read -r finding; do bad "$finding"; done < <(python3 tests/rooms.py build 2>&1)
fi
# And of headers: FOLDER may include only from these places (its own folder, the generated bridges and system headers aside).
arrows() {
    local folder=$1 allowed=$2 file line target
    while IFS=: read -r file _ line; do
        target=$(sed -E 's/.*#include "([^"]+)".*/\1/' <<<"$line")
        case $target in
        */*) ;;
        *) continue ;; # a generated bridge, or a header beside the file
        esac
        [[ $target == edl/* || $target == "$folder"/* ]] && continue
        grep -qE "^($allowed)(/|$)" <<<"$target" || bad "$file includes $target"
    done < <(git grep -n '#include "' -- "$folder/*.c" "$folder/*.h" ':!*_test.c' ':!*/testing/*')
}
arrows common "common"
arrows enclave "common|verifier/note.h|verifier/verifier.h|sgx/include|sgx/trusted"
arrows host "common|sgx/include|sgx/loader|sgx/emulator|sgx/quote|verifier"
arrows sgx/include "sgx/include"
arrows sgx/trusted "common|sgx/include|sgx/loader/abi.h|sgx/loader"
arrows sgx/emulator "common|sgx/include|sgx/loader|sgx/sign"
arrows sgx/sign "common|sgx/include"
arrows sgx/loader "common|sgx/include|sgx/emulator|sgx/sign"
arrows sgx/conformance "sgx/include|sgx/loader|sgx/emulator|sgx/sign"
arrows sgx/quote "common|sgx/include|sgx/emulator"
arrows verifier "common"
arrows cli "verifier|common|host/kvstore|sgx/sign"

# What a room's files share is theirs alone; tests may look.
while IFS=: read -r file _ line; do
    target=$(sed -E 's/.*#include "([^"]+)\/[^"/]+".*/\1/' <<<"$line")
    [[ $(dirname "$file") == "$target" ]] || bad "$file includes what is internal to $target"
done < <(git grep -nE '#include "[^"]*/[a-z0-9_]*internal\.h"' -- '*.[chS]' ':!*_test.c' ':!*/testing/*' ':!tests/*')

# What is shared is whole words: every atomic that crosses the boundary is a shared_word.
git grep -nE '_Atomic|atomic_' -- common/protocol.h | grep -vE 'typedef _Atomic uint64_t shared_word;|keeps any other _Atomic' |
    while read -r place; do echo "lint: $place is not a shared_word"; done | grep . && failed=$((failed + 1))

# No document shows a client that verifies nobody.
git grep -nE 'curl[^|`]* (-[a-zA-Z]*k[a-zA-Z]*|--insecure)( |$|`)|verify=False' -- '*.md' &&
    bad "a document has a client that verifies nobody: enclavectl ca saves the CA for it"

# Words of our own for what the field has a usual one for: terminates TLS, claims a channel, generates or makes again.
git grep -nEi '\b(ends TLS|(is|are|was|were|be|been) taken up|anew|found out|to elsewhere)\b' -- '*.md' && bad "a document has a word that nobody else uses"

# The image: nothing both writable and executable, no dynamic loader.
image=build/enclave_os.elf
if [ -f $image ]; then
    readelf -lW $image | grep -qE '^ *LOAD .* RWE ' && bad "the image has a segment that is writable and executable"
    readelf -lW $image | grep -q INTERP && bad "the image wants a dynamic loader"
fi
# Every C object of the image that has buffers checks a canary; the image ends itself when one has changed.
for folder in sgx/trusted/CMakeFiles/sgx_trusted.dir enclave/CMakeFiles/enclave_early.dir enclave/CMakeFiles/enclave_core.dir; do
    [ -d "build/$folder" ] || continue
    find "build/$folder" -name '*.o' -exec nm -u {} + 2>/dev/null | grep __stack_chk_fail >/dev/null ||
        bad "$folder is compiled without a stack protector"
done
python3 - <<'END' || bad "C of the image is compiled without -fstack-protector-strong or -fstack-clash-protection"
import json, os, sys
if not os.path.exists("build/compile_commands.json"):
    sys.exit(0)
parts = ("sgx_trusted.dir/", "enclave_early.dir/", "enclave_core.dir/")
commands = [c["command"] for c in json.load(open("build/compile_commands.json")) if c["file"].endswith(".c")]
ours = [c for c in commands if any(p in c for p in parts)]
flags = ("-fstack-protector-strong", "-fstack-clash-protection")
sys.exit(not ours or any(f not in c or "-fno-stack" in c for c in ours for f in flags))
END
# What runs before libc has relocated the image must not reach libc.
for object in build/sgx/trusted/CMakeFiles/sgx_trusted.dir/*.o $(find build/enclave/CMakeFiles/enclave_early.dir -name '*.o' 2>/dev/null); do
    [ -f "$object" ] || continue
    outside=$(nm -u "$object" | awk '{print $2}' |
        grep -vE '^(rt_|sgx_|ocall_|ecall_|enclave_|channel_|__stack_chk_fail$|__errno_location$|_end$|__ehdr_start$|_start$|_GLOBAL_OFFSET_TABLE_$)' | tr '\n' ' ')
    [ -z "$outside" ] || bad "$(basename "$object") reaches outside the runtime: $outside"
done

# The verifier's core runs inside the enclave, too: it opens nothing.
for object in build/verifier/CMakeFiles/verifier_objects.dir/*.o; do
    case $object in *'/*.o' | */folder.c.o | */http_get.c.o | */log_state.c.o | */page.c.o | */openssl.c.o | */pccs.c.o) continue ;; esac
    outside=$(nm -u "$object" | awk '{print $2}' |
        grep -E '^(f?open(at)?(64)?|fdopen|popen|system|socket|connect|send|recv|read|write|f?print|printf|puts|getenv|getaddrinfo|SSL_|PEM_read_(bio_)?PrivateKey)' | tr '\n' ' ')
    [ -z "$outside" ] || bad "$(basename "$object") reaches outside: $outside"
done

# Memory is accounted for by charges (enclave/budget/budget.h): nobody adds and subtracts by hand, or touches what is used.
while read -r place; do bad "$place: by hand; see enclave/budget/budget.h"; done < <(
    git grep -nE '(->|\.)used\b|\b\w*(held|charged|reserved|memory|memory_used|all_bytes)\w* [-+]= |atomic_fetch_(add|sub)\w*\(&[^,]*(held|charge|memory|used)|\b\w*_(hold|uncharge|memory_take|memory_give)\(' \
        -- 'enclave/*.c' 'enclave/*.h' ':!enclave/budget*' | grep -vE 'kv_call_hold\(|memory_uncharge\(' | cut -d: -f1,2)

# One format; its version is fixed, since versions differ.
git ls-files '*.c' '*.h' | xargs clang-format-14 --dry-run -Werror >/dev/null 2>&1 ||
    bad "some files are not formatted: ./dev fmt"
while read -r place; do bad "$place is longer than 120 columns"; done < <(
    git ls-files '*.c' '*.h' | xargs awk 'length > 120 {print FILENAME ":" FNR}')

# Parentheses behind sizeof are a type's.
while read -r place; do bad "$place: sizeof x, without parentheses"; done < <(
    git grep -nE 'sizeof\((\*|[A-Za-z_0-9]+(->|\.|\[|\)))' -- '*.c' '*.h' | grep -vE 'sizeof\((void|char|int|long|shared_word|channel_name|[a-z0-9_]+_t|Elf64_[A-Z][a-z]+)[])[]|sizeof\(\*\(' | cut -d: -f1,2)

# What a callback's task, timer or the like is embedded in, CONTAINER_OF finds: a cast would hold only while it stands first.
while read -r place; do bad "$place: CONTAINER_OF, see common/container.h"; done < <(
    git grep -nE '\((const )?struct [a-z_0-9]+ \*\)(task|timer|turn|change|loop|errand|job|transport|t)\b|= \((const )?struct [a-z_0-9]+ \*\)(b|site);' -- '*.c' '*.h' | cut -d: -f1,2)

# Who reaches into what outlives a call asserts what must hold of it: tests/assertions.py.
while read -r finding; do bad "$finding"; done < <(python3 tests/assertions.py)

# Files and functions can be read in one go: tests/sizes.py.
while read -r finding; do bad "$finding"; done < <(python3 tests/sizes.py)

# Which OpenSSL a program has, CMakeLists.txt says, in one place.
while read -r place; do bad "$place: link ssl or crypto"; done < <(
    git grep -n 'OpenSSL::' -- '*/CMakeLists.txt' | cut -d: -f1,2)

# Threads inside get their stacks from thread_start; elsewhere pthread_create would have one without a guard.
while read -r place; do bad "$place makes a thread by itself: use thread_start"; done < <(
    git grep -l 'pthread_create(' -- 'enclave/*.c' 'sgx/trusted/*.c' ':!enclave/thread/threads.c' ':!*_test.c' ':!*/testing/*')

# Whoever fetches packages has sourced scripts/clients.sh.
for script in $(git grep -lE '^[^#]*(\bnpm +(--|ci|install)|/pip"? |\bpip (install|download|wheel))' -- '*.sh' dev); do
    grep -qE '(clients|progress|lib)\.sh' "$script" || bad "$script fetches packages without scripts/clients.sh"
done
for script in dev .ci/run $(git ls-files '*.sh'); do bash -n "$script" || bad "$script has a syntax error"; done

[ $failed -eq 0 ] && echo "lint: clean" || echo "lint: $failed findings"
exit $((failed > 0))
