#!/usr/bin/env bash
# enclavectl publish: what it signs, with a key of a file, and with one that stays where PKCS#11 keeps it (SoftHSM, by OpenSSL's
# engine, and a stand-in for its provider); and what it refuses before it signs.
. "$(dirname "$0")/lib.sh"

wasm=$BUILD/apps/hello-c.wasm
ctl keygen "$work/publisher.key" >/dev/null
sha=$(sha256sum "$wasm" | cut -d' ' -f1)

part() { # NUMBER PUBLICATION: decoded
    cut -d. -f"$1" <<<"$2" | tr '_-' '/+' | { read -r text; printf '%s%s' "$text" "$(printf '%*s' $(((4 - ${#text} % 4) % 4)) '' | tr ' ' =)"; } | base64 -d
}
# signed PUBLICATION: by publisher.key
signed() {
    part 3 "$1" >"$work/rs"
    equal "$(stat -c %s "$work/rs")" 64 "bytes of the signature"
    python3 - "$work/rs" >"$work/der" <<'END'
import sys
rs = open(sys.argv[1], "rb").read()
def integer(b):
    b = b.lstrip(b"\0") or b"\0"
    b = (b"\0" if b[0] & 128 else b"") + b
    return bytes([2, len(b)]) + b
body = integer(rs[:32]) + integer(rs[32:])
sys.stdout.buffer.write(bytes([48, len(body)]) + body)
END
    printf '%s' "${1%.*}" | openssl dgst -sha256 -verify "$work/publisher.key.pub" -signature "$work/der" >/dev/null
}
publish() { ctl publish vault "$wasm" "$@"; }

first=$(publish --key "$work/publisher.key" --version 1)
equal "$(part 1 "$first")" '{"alg":"ES256","typ":"enclave-os-publication"}'
equal "$(part 2 "$first")" '{"name":"vault","sha256":"'"$sha"'","version":1}'
check signed "$first"
id=00112233445566778899aabbccddeeff
publish --key "$work/publisher.key" --version 2 --app-id $id --egress 'api.example.com,*.example.org:8443' --memory-mib 64 \
    --timeout-ms 5000 --settings peers,config --out "$work/second"
second=$(cat "$work/second")
equal "$(part 2 "$second")" '{"app_id":"'$id'","egress":["api.example.com","*.example.org:8443"],"memory_mib":64,"name":"vault","settings":["peers","config"],"sha256":"'"$sha"'","timeout_ms":5000,"version":2}'
check signed "$second"
contains "$(part 2 "$(publish --key "$work/publisher.key" --version 1 --settings arguments,config,durable,environment,hostnames,peers)")" \
    '"settings":["arguments","config","durable","environment","hostnames","peers"]'
contains "$(part 2 "$(publish --key "$work/publisher.key" --version 1 --egress none)")" '"egress":[]'
contains "$(part 2 "$(publish --key "$work/publisher.key" --version 1 --egress 'A.example:65535,[2001:db8::1],[::1]:8443,127.0.0.1')")" \
    '"egress":["A.example:65535","[2001:db8::1]","[::1]:8443","127.0.0.1"]'

# In a token, by the engine.
export SOFTHSM2_CONF=$work/softhsm2.conf
mkdir "$work/tokens"
echo "directories.tokendir = $work/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label desk --pin 123456 --so-pin 654321 >/dev/null
softhsm2-util --import "$work/publisher.key" --token desk --label publisher --id 01 --pin 123456 >/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa.key" 2>/dev/null
softhsm2-util --import "$work/rsa.key" --token desk --label rsa --id 02 --pin 123456 >/dev/null
module=$(ls /usr/lib/*/softhsm/libsofthsm2.so /usr/lib/softhsm/libsofthsm2.so 2>/dev/null | head -n 1)
in_token() { publish --pkcs11-module "$module" --version 3 --key "$@"; }
third=$(in_token 'pkcs11:token=desk;object=publisher?pin-value=123456')
equal "$(part 2 "$third")" '{"name":"vault","sha256":"'"$sha"'","version":3}'
check signed "$third"
echo -n 123456 >"$work/pin"
check signed "$(in_token "pkcs11:token=desk;object=publisher?pin-source=file:$work/pin")"

# The administrator's key may be in one, too.
softhsm2-util --import "$admin" --token desk --label admin --id 03 --pin 123456 >/dev/null
check start
push hello hello-c
contains "$(ctl app list --url "$url" --admin-key 'pkcs11:token=desk;object=admin?pin-value=123456' --pkcs11-module "$module" --policy "$policy")" "hello  "
check stop

# By a provider, which is asked first.
openssl pkcs8 -topk8 -nocrypt -in "$work/publisher.key" -outform DER -out "$work/publisher.der"
provided() { OPENSSL_MODULES=$BUILD/lib/providers publish --version 3 --key "$@"; }
check signed "$(provided "pkcs11:$work/publisher.der")"

# refused WORDS COMMAND...: in one line, status 2 or 1, nothing printed
refused() {
    local words=$1 result=0
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null || result=$?
    [ $result = 2 ] || [ $result = 1 ] || fail "status $result of: $*"
    [ ! -s "$work/out" ] || fail "it signed: $*"
    contains "$(cat "$work/err")" "$words"
    equal "$(wc -l <"$work/err")" 1 "lines for: $*: $(cat "$work/err")"
}
key=(--key "$work/publisher.key")
refused "no private key answers to this URI" in_token 'pkcs11:token=desk;object=nobody?pin-value=123456'
refused "is not a P-256 key" in_token 'pkcs11:token=desk;object=rsa?pin-value=123456'
refused "more than one private key answers" provided "pkcs11:$work/publisher.der,$work/publisher.der"
refused "no private key answers to this URI" provided "pkcs11:$work/none.der"
refused "is a file, not a pkcs11: URI" publish "${key[@]}" --pkcs11-module "$module" --version 1
refused "not a P-256 private key" publish --key "$work/rsa.key" --version 1
refused "this is the public half" publish --key "$work/publisher.key.pub" --version 1
refused "--key is missing" publish --version 1
refused "--version is missing" publish "${key[@]}"
for version in 0 -1 1.5 01 9007199254740993 x; do
    refused "--version $version: expected a number from 1 to 9007199254740992" publish "${key[@]}" --version $version
done
refused "--memory-mib 0: expected" publish "${key[@]}" --version 1 --memory-mib 0
refused "--timeout-ms 1s: expected" publish "${key[@]}" --version 1 --timeout-ms 1s
refused "--app-id 00: expected 32" publish "${key[@]}" --version 1 --app-id 00
for egress in https://a.example a.example, ,a.example a,,b 'a b' a/b a,a:0 a:65536 a: a:4x .a a..b '*a' 'a.*' '*' '[::1' '[]' '[::1]x' ::1 \
    "$(printf 'a%.0s' $(seq 254))"; do
    refused "--egress $egress: expected" publish "${key[@]}" --version 1 --egress "$egress"
done
for settings in egress config,config config, CONFIG; do
    refused "--settings $settings: expected" publish "${key[@]}" --version 1 --settings "$settings"
done
refused "is not an app's name" ctl publish va/ult "$wasm" "${key[@]}" --version 1
refused "No such file" ctl publish vault "$work/none.wasm" "${key[@]}" --version 1
refused "it needs NAME FILE.wasm" ctl publish vault "${key[@]}" --version 1
refused "Is a directory: expected a file's name" publish "${key[@]}" --version 1 --out "$work"
refused "--out $work/none/out: No such file" publish "${key[@]}" --version 1 --out "$work/none/out"
refused "name fewer servers" publish "${key[@]}" --version 1 --egress "$(seq -s, -f 'server-%g.example' 300)"
echo "publish: ok"
