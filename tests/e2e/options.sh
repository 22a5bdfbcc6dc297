#!/usr/bin/env bash
# Options are judged when they are given: each that is wrong is refused in one line that names it, before anything is
# done; names for the certificate come beside localhost, unless that is said not to be.
. "$(dirname "$0")/lib.sh"

image=$BUILD/enclave_os.signed
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null | openssl pkey -pubout -out "$work/rsa.pub"
openssl ecparam -name secp384r1 -genkey -noout 2>/dev/null | openssl ec -pubout -out "$work/p384.pub" 2>/dev/null
head -c 70000 /dev/zero >"$work/large"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -out "$work/ca.pem" -subj /CN=root 2>/dev/null
long=$(printf 'a%.0s' $(seq 64)).example
many=$(printf 'n%d.example,' $(seq 400))last.example

# refused WHAT COMMAND ...: status 2 (1 where it is the system that refuses), nothing on standard output, and WHAT
refused() {
    local what=$1 result=0
    shift
    timeout 20 "$@" >"$work/out" 2>"$work/err" </dev/null || result=$?
    [ $result = 2 ] || [ $result = 1 ] || fail "status $result of: $*"
    [ ! -s "$work/out" ] || fail "it began: $* $(cat "$work/out")"
    contains "$(cat "$work/err")" "$what"
    [ ! -e "$work/none" ] || fail "a folder was made: $*"
}
# serve OPTION ...: with what it needs otherwise
serve() {
    local what=$1
    shift
    refused "$what" "$HOST" serve --image "$image" --data "$work/none" --listen 127.0.0.1:0 --sim-dir "$work/sim" "$@"
    equal "$(wc -l <"$work/err")" 1 "lines for: $*"
}

for number in min-rate rate-grace max-header-bytes max-headers max-body-bytes header-timeout idle-timeout request-timeout app-memory grace drain-timeout workers; do
    for value in x 1s 1.5 -1 +1 0x10 ' 1' '1 ' 01 18446744073709551616 99999999999999999999999 1,000 1e3; do
        serve "--$number $value: expected a number from " "--$number" "$value"
    done
done
for flag in debug no-edmm no-localhost; do
    serve "--$flag is given twice" "--$flag" "--$flag"
    serve "--$flag takes no value" "--$flag=yes"
done
for option in backend workers admin-key san collateral-listen max-headers grace; do
    serve "--$option has an empty value" "--$option" ""
    serve "--$option needs a value" "--$option"
    serve "--$option needs a value, and --debug is an option" "--$option" --debug
done
serve "--workers 0: expected" --workers 0
serve "--workers 9: expected" --workers 9
serve "--max-header-bytes 255: expected" --max-header-bytes 255
serve "--max-header-bytes 4294967295: expected" --max-header-bytes 4294967295
serve "--max-headers 0: expected" --max-headers 0
serve "--app-memory 4097: expected" --app-memory 4097
serve "--request-timeout 86400001: expected" --request-timeout 86400001
serve "--min-rate 1073741825: expected" --min-rate 1073741825
serve "--rate-grace 0: expected" --rate-grace 0
serve "--grace 3600001: expected" --grace 3600001
serve "--drain-timeout 0: expected" --drain-timeout 0
serve "--drain-timeout 86400001: expected" --drain-timeout 86400001
for address in x localhost:1 127.0.0.1 127.0.0.1: 127.0.0.1:x 127.0.0.1:65536 127.0.0.1:-1 ::1:8443 '[::1]' '[::1%lo]:1' 1.2.3:1 :8443; do
    refused "--listen $address: " "$HOST" serve --image "$image" --data "$work/none" --listen "$address"
    serve "--collateral-listen $address: " --collateral-listen "$address"
done
refused "are the same address" "$HOST" serve --image "$image" --data "$work/none" --listen 127.0.0.1:9 --collateral-listen 127.0.0.1:9
refused "--image is missing" "$HOST" serve --data "$work/none"
refused "--data is missing" "$HOST" serve --image "$image"
refused "--image /nonexistent: No such file" "$HOST" serve --data "$work/none" --image /nonexistent
refused "--image $work: not a file" "$HOST" serve --data "$work/none" --image "$work"
refused "--data /nonexistent/x: No such file" "$HOST" serve --image "$image" --listen 127.0.0.1:0 --data /nonexistent/x
refused "--data $admin: not a folder" "$HOST" serve --image "$image" --listen 127.0.0.1:0 --data "$admin"
serve "--admin-key $admin: this is the secret half" --admin-key "$admin"
for file in "$image" "$work" "$work/rsa.pub" "$work/p384.pub" "$work/large" /dev/zero /nonexistent; do
    serve "--admin-key $file: " --admin-key "$file"
done
for backend in tdx '' SGX; do serve "--backend" --backend "$backend"; done
serve "--debug is for hardware" --backend emulator --debug
serve "--sim-dir is the emulator's" --backend sgx
refused "--collateral-listen serves a simulation's" "$HOST" serve --image "$image" --data "$work/none" --backend sgx --collateral-listen 127.0.0.1:0
serve "unknown option --verbose" --verbose
serve "unknown option --max" --max 1
serve "--workers is given twice" --workers 1 --workers 1
serve "write --image out" --imag "$image"
serve "unknown option -v" -v
serve "unexpected argument 'more'" more
# witnesses: a key as litewitness shows its own, and what is none
key=w.example/x+130697e6+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
other=w.example/x+12345678+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
for text in x x=http://a "x=http://a;$key"; do serve "--witness $text: expected NAME=URL,VKEY" --witness "$text"; done
for name in '' 'a b' a/b 'ä'; do serve "NAME is not 1 to 63 letters" --witness "$name=http://a,$key"; done
for url in '' a ftp://a http:// http://a:0 http://a:65536 'http://a/?b' http://u@a 'http://[::1' 'http://a b' http://a..b; do
    serve "URL is not http:// or https://" --witness "x=$url,$key"
done
for vkey in x "$other" "${key%f}g" "${key/BAAB/AQAB}" "$key "; do serve "VKEY is not a verifier key" --witness "x=http://a,$vkey"; done
serve "this name is given twice" --witness "x=http://a,$key" --witness "x=http://b,$key"
serve "this key is given twice" --witness "x=http://a,$key" --witness "y=http://b,$key"
for name in quorum seconds commits; do
    serve "--witness-$name without --witness" --witness-$name 1
    for value in 0 x -1 1.5; do serve "--witness-$name $value: expected a number" --witness "x=http://a,$key" --witness-$name $value; done
done
serve "--witness-quorum 2: there are only 1 witnesses" --witness "x=http://a,$key" --witness-quorum 2
second=witness.example/w1+a7e12144+BGG3op9v3HIXXDPBmFc/0CioJHhGCXc+pyvvFPlBZdYO
serve "--witness-quorum 1: it has to be more than half of the 2 witnesses" --witness "x=http://a,$key" \
    --witness "y=http://a,$second" --witness-quorum 1
serve "--witness-seconds 86401: expected" --witness "x=http://a,$key" --witness-seconds 86401
serve "--witness-commits 1000000001: expected" --witness "x=http://a,$key" --witness-commits 1000000001
serve "--san is given twice" --san a.example --san b.example
for name in 'a b' "bücher.example" 'a_b' 'a..b' '.a' 'a.' '-a.b' "$long" 'a:8443' 'https://a' '*' '*.com' 'a.*.b.c' '[::1]' 256.1.1.1 1.2.3 '::1%lo' \
    'a,,b' ',a' 'a,' ',' ' ' $'a\tb' $'a\nb'; do
    refused "--san '" "$HOST" serve --image "$image" --data "$work/none" --listen 127.0.0.1:0 --san "$name"
done
serve "--san: more than 2047 characters" --san "$many"
refused "leaves the certificate without a name" "$HOST" serve --image "$image" --data "$work/none" --no-localhost

for command in "$HOST doctor" "$BUILD/bin/enclavectl verify" "$BUILD/bin/enclavectl ca" "$BUILD/bin/enclavectl app" \
    "$BUILD/bin/enclavectl egress-ca" "$BUILD/bin/enclavectl witness" "$BUILD/bin/enclavectl get" "$BUILD/bin/enclavectl sign" "$BUILD/bin/enclavectl measure"; do
    refused "unknown option --none" $command --none
    refused "unknown option -n" $command -n
    contains "$($command --help)" "usage: "
done
refused "--root /nonexistent: not a folder" "$HOST" doctor --root /nonexistent
refused "--root has an empty value" "$HOST" doctor --root=
refused "unexpected argument 'more'" "$HOST" doctor more
refused "unknown command 'destroy'" "$BUILD/bin/enclavectl" destroy
refused "--out is missing" "$BUILD/bin/enclavectl" sign --config c.xml --key k.pem image
for date in x 20261301 20260230 2026-01-01 0 00000000 202601011 ''; do
    refused "--date" "$BUILD/bin/enclavectl" sign --config c.xml --key k.pem --out o --date "$date" image
done

# on the client's side, no connection is made for what cannot mean anything: nobody listens there
zeros=$(printf '00%.0s' $(seq 32))
for bad in "" x http://127.0.0.1:9 https:// https://127.0.0.1:x https://127.0.0.1:0 https://127.0.0.1:65536 https://127.0.0.1:https \
    https://a@127.0.0.1 https://127.0.0.1:9/x 'https://127.0.0.1:9?x' 'https://a b' https://::1:9 'https://[::1' 'https://[127.0.0.1]:9' \
    'https://[::1]9' https://bücher.example https://a..b 'https://*.example.org' https://a%62 $'https://a\n'; do
    refused "$bad: expected https://HOST" "$BUILD/bin/enclavectl" verify "$bad"
    refused "$bad: expected https://HOST" "$BUILD/bin/enclavectl" ca "$bad" --out "$work/none" --mrenclave "$zeros"
    [ -z "$bad" ] || refused "$bad: expected https://HOST" "$BUILD/bin/enclavectl" app list --url "$bad" --admin-key "$admin"
done
verify() { # WHAT OPTION ...
    local what=$1
    shift
    refused "$what" "$BUILD/bin/enclavectl" verify https://127.0.0.1:9 "$@"
}
for hex in x 00 "${zeros}00" "${zeros%0}g"; do
    verify "--mrenclave $hex: expected 64 hex digits" --mrenclave "$hex"
    verify "--mrsigner $hex: expected 64 hex digits" --mrsigner "$hex"
    verify "--app a=$hex: expected" --app "a=$hex"
done
for value in x -1 65536 1s ' 1'; do
    verify "--prod-id $value: expected" --prod-id "$value"
    verify "--min-svn $value: expected" --min-svn "$value"
done
verify "--mrsigner is given twice" --mrsigner "$zeros" --mrsigner "$zeros"
verify "--allow-simulation takes no value" --allow-simulation=no
verify "--root /nonexistent: No such file" --root /nonexistent
verify "--issuer $image: File too large" --issuer "$image"
verify "--issuer $admin: line 1: a private key" --issuer "$admin"
verify "--app a b=$zeros: expected" --app "a b=$zeros"
verify "--extension x: expected" --extension x
verify "--accept-tcb Fine: not a status" --accept-tcb Fine
verify "--accept-tcb needs --pccs or --collateral" --accept-tcb OutOfDate
verify "--collateral /nonexistent: not a folder" --collateral /nonexistent
verify "--save-collateral /nonexistent: not a folder" --save-collateral /nonexistent
verify "--save-collateral keeps what" --save-collateral "$work"
verify "--pccs and --collateral: one of them" --pccs http://127.0.0.1:9 --collateral "$work"
verify "--pccs-ca is for a --pccs with https" --pccs http://127.0.0.1:9 --pccs-ca "$work/ca.pem"
for pccs in x ftp://a http:// http://a:x http://a:0 http://a:65536 'http://a b'; do verify "--pccs $pccs: expected" --pccs "$pccs"; done
refused "--out is missing" "$BUILD/bin/enclavectl" ca https://127.0.0.1:9 --mrenclave "$zeros"
refused "nothing says which enclave this is to be" "$BUILD/bin/enclavectl" ca https://127.0.0.1:9 --out "$work/none"
for pin in "--instance $zeros" "--admin none" "--extension 1.3.6.1.4.1.65230.2.4=$zeros"; do # any program can show it
    refused "any program can show" "$BUILD/bin/enclavectl" ca https://127.0.0.1:9 --out "$work/none" --allow-simulation $pin
done
refused "nothing says which enclave this is to be" "$BUILD/bin/enclavectl" ca https://127.0.0.1:9 --out "$work/none" --allow-simulation --app "a=$zeros"
refused "--url is missing" "$BUILD/bin/enclavectl" app list --admin-key "$admin"
refused "--admin-key is missing" "$BUILD/bin/enclavectl" app list --url https://127.0.0.1:9
refused "--admin-key /nonexistent: No such file" "$BUILD/bin/enclavectl" app list --url https://127.0.0.1:9 --admin-key /nonexistent
for file in "$admin.pub" "$work/rsa.pub" "$image" "$work" /dev/zero; do
    refused "--admin-key $file: " "$BUILD/bin/enclavectl" app list --url https://127.0.0.1:9 --admin-key "$file"
done
for name in '' 'a b' a/b ../x "$(printf 'a%.0s' $(seq 64))"; do
    refused "a name has 1 to 63" "$BUILD/bin/enclavectl" app push "$name" "$image" --url https://127.0.0.1:9 --admin-key "$admin"
done
for path in metrics '/a b' $'/a\r\nb' /ü; do
    refused "expected a path" "$BUILD/bin/enclavectl" get "$path" --url https://127.0.0.1:9 --admin-key "$admin"
done

# what is right: the names that were asked for, beside those that are always there, each once
names() { openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName | sed 1d | tr -d ' \n'; }
always=DNS:localhost,IPAddress:127.0.0.1,IPAddress:0:0:0:0:0:0:0:1
check start --san " a.example ,*.B.example, 10.1.2.3,LOCALHOST,2001:db8::1"
equal "$(names)" "$always,DNS:a.example,DNS:*.B.example,IPAddress:10.1.2.3,IPAddress:2001:DB8:0:0:0:0:0:1" "--san"
check stop
check start --no-localhost --san only.example
equal "$(names)" DNS:only.example "--no-localhost"
check stop
