#!/usr/bin/env bash
# Whatever is wrong with the input of a command, its one line says which option, argument or member it is, with its value, what
# is wrong, and what would be right: words.table for the command lines, here for settings and bundles, which the server judges.
# Every option that a program has stands in the table.
. "$(dirname "$0")/lib.sh"
table=$(dirname "$0")/words.table
cd "$work"

mkdir folder
: >empty
echo text >text
head -c 70000 /dev/zero | tr '\0' x >large
printf '<EnclaveConfiguration>\n<TCSNum>-1</TCSNum></EnclaveConfiguration>' >negative.xml
head -c 100000 "$BUILD/enclave_os.signed" >cut
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=root 2>/dev/null
openssl req $key -keyout request.key -out request.pem -subj /CN=somebody 2>/dev/null
openssl x509 -in ca.pem -outform DER -out ca.der
openssl ecparam -name secp384r1 -genkey -noout -out p384 2>/dev/null
openssl ec -in p384 -pubout -out p384.pub 2>/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -pkeyopt rsa_keygen_pubexp:3 -out signing.pem 2>/dev/null
cat ca.pem ca.key >mixed.pem
sed 's/^/ /' ca.key | cat ca.pem - >hidden.pem
head -n 4 ca.pem | cat ca.pem - >half.pem
(cat ca.pem; echo junk) >junk.pem
(printf '\xef\xbb\xbf'; cat ca.pem) >marked.pem
for _ in 1 2 3 4 5 6 7 8 9; do cat ca.pem; done >nine.pem
printf -- '-----BEGIN CERTIFICATE-----\nMAAB\n-----END CERTIFICATE-----\n' >unreadable.pem
cat "$admin" "$admin.pub" >both.pem
cat "$admin.pub" "$admin.pub" >twice.pub
printf '{"format": "enclave-os-policy/1", "instance": "%064d"}' 0 >policy
echo '{"format": "enclave-os-policy/1", "mrenclav": []}' >wrong.policy
echo '{"witnesses": []}' >none.json
cat "$admin" ca.key >two.key
cat signing.pem ca.key >two.pem
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -extfile <(echo basicConstraints=CA:FALSE) -out leaf.pem 2>/dev/null
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -extfile <(echo keyUsage=digitalSignature) -out signs.pem 2>/dev/null
cat ca.pem leaf.pem >behind.pem

ended() { python3 "$SOURCE/tests/e2e/words.py" "$BUILD" "$SOURCE" "$admin" "$SOURCE/tests/e2e/words.table"; }
check ended
! ENCLAVE_OS_SIM_DIR=text "$HOST" serve --image "$BUILD/enclave_os.signed" --data data 2>why || fail "a machine's folder that is a file"
contains "$(cat why)" "ENCLAVE_OS_SIM_DIR text: not a folder"

# what the server judges: an app's settings, each mistake by its member and its value
check start
push hello hello-c
settings() { # JSON PART...
    local json=$1 part
    shift
    printf '%s' "$json" >settings.json
    ! ctl app settings hello settings.json "${to[@]}" >out 2>why || fail "accepted: $json"
    equal "$(wc -l <why)" 1 "lines for: $json"
    for part in "$@"; do contains "$(cat why)" "$part"; done
}
settings '{"environment": {"A": "b\u0000c"}}' "environment: A: " '\u0000'
settings '{"config": {"a\u0000": "b"}}' 'line 1: a name has \u0000'
settings '{"arguments": ["a", "\u0000"]}' 'arguments: number 2: ' '\u0000'
settings '{"egress": ["\u0000"]}' 'egress: number 1: ' '\u0000'
settings '{"egress": ["https://api.example.com"]}' 'egress: number 1, "https://api.example.com": it is a URL' 'expected HOST, *.HOST or HOST:PORT'
settings '{"egress": ["a", "a:0"]}' 'egress: number 2, "a:0": its port is no number from 1 to 65535'
settings '{"egress": ["a:-1"]}' 'egress: number 1, "a:-1": its port'
settings '{"egress": [443]}' "egress: number 1: the value is not a text but a number"
settings '{"egress": "a"}' 'egress: not an array but a text: expected ["HOST"]'
settings '{"environment": []}' 'environment: not an object but an array: expected {"NAME": "value"}'
settings '{"environment": {"A": 1}}' "environment: A: the value is not a text but a number"
settings '{"environment": {"": "a"}}' "environment: a name is empty"
settings '{"environment": {"A=B": "c"}}' "environment: A=B: not a name"
settings '{"environment": {"REQUEST_METHOD": "GET"}}' "environment: REQUEST_METHOD: the server gives this name a value for each request"
settings '{"arguments": [null]}' "arguments: number 1: the value is not a text but null"
settings '{"peers": "require"}' 'peers: the only value is "request", not "require"'
settings '{"peers": true}' 'peers: the only value is "request"'
settings '{"color": "blue"}' "color: there is no such setting; there are environment"
settings '{"config": {"a": "1", "a": "2"}}' "line 1: the same name is given twice"
settings '[]' "the settings are not a JSON object but an array"
settings 'color = blue' "not JSON: line 1"
settings "{$(head -c 66000 /dev/zero | tr '\0' ' ')}" "more than 65536 bytes of settings: 66002"

# and what others send it: a bundle with something else in it is refused inside, too
bundle() { # FILE PART: not by enclavectl, which would not even send it
    local token answer
    answer=$(python3 "$SOURCE/tests/e2e/words.py" --put "$BUILD" "$url" "$admin" /_enclave/egress-ca "$1")
    contains "$answer" "422"
    contains "$answer" "$2"
}
bundle mixed.pem "a private key"
bundle hidden.pem "stand alone in its line"
bundle half.pem "the last block does not end"
bundle junk.pem "text behind the last block"
bundle request.pem "a block called CERTIFICATE REQUEST"
bundle unreadable.pem "certificate number 1 cannot be read"
# one that vouches for nobody: no CA's, and not signed by itself
bundle leaf.pem "the bundle's certificate number 1 is neither a CA's nor signed by itself"
bundle signs.pem "the bundle's certificate number 1 is neither a CA's nor signed by itself"
bundle behind.pem "the bundle's certificate number 2 is neither a CA's nor signed by itself"
bundle ca.der "bytes that are no text"
contains "$(ctl egress-ca show "${to[@]}" 2>&1 || true)" "there is no CA bundle"
(echo "# a comment, as bundles have them"; cat ca.pem) >commented.pem
contains "$(ctl egress-ca set commented.pem "${to[@]}")" '"certificates":1'
check stop

# who can deploy: nobody, if the first boot had no key, and that is said each time
without() { # OPTION...: a server of this instance; what it said is in server.log
    : >"$work/server.log" # or what the one before said would do
    "$HOST" serve --image "$BUILD/enclave_os.signed" --listen "127.0.0.1:$port" --sim-dir "$work/sim" --data "$work/keyless" "$@" \
        >>"$work/server.log" 2>&1 &
    server=$!
    await "the server" logged '^ready'
    check stop
}
said="nobody can deploy to this instance: it was first booted without --admin-key"
without
logged "$said. To change that, begin anew: an empty --data folder" || fail "not a word of the missing key"
without
logged "$said. To" || fail "not a word of the missing key at the second boot"
without --admin-key "$admin.pub"
logged "$said, and the one given now is ignored" || fail "not a word of the key that is ignored"
check start
! logged "nobody can deploy" || fail "said of an instance that has its key"
stop
