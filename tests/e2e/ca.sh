#!/usr/bin/env bash
# enclavectl ca: the enclave's CA is saved once the enclave is verified, and then clients that judge by a CA believe the
# server, by name and by address; nothing is saved unless something says which enclave it is to be.
. "$(dirname "$0")/lib.sh"
check start --san gate.example
push hello hello-c
mrenclave=$(ctl measure "$BUILD/enclave_os.signed")
zeros=$(printf '00%.0s' $(seq 32))
ca=$work/ca.pem

# refused: nothing is written
! ctl ca "$url" --allow-simulation --out "$ca" 2>"$work/why" || fail "saved without a pin"
contains "$(cat "$work/why")" "nothing says which enclave"
! ctl ca "$url" --out "$ca" --mrenclave "$mrenclave" 2>"$work/why" || fail "saved a simulation's"
! ctl ca "$url" --allow-simulation --out "$ca" --mrenclave "$zeros" 2>"$work/why" || fail "saved another enclave's"
contains "$(cat "$work/why")" "mrenclave: "
! ctl ca "https://127.0.0.1:$(free_port)" --allow-simulation --out "$ca" --mrenclave "$mrenclave" 2>/dev/null || fail "saved from nobody"
[ ! -e "$ca" ] || fail "something was written"

# saved: the file is the issuer and nothing else, and the same again is no error
said=$(ctl ca "$url" --allow-simulation --out "$ca" --mrenclave "$mrenclave") || fail "$said"
contains "$said" "$(openssl x509 -in "$ca" -outform DER | sha256sum | cut -d' ' -f1)"
equal "$(grep -c BEGIN "$ca")" 1 "certificates in the file"
openssl x509 -in "$ca" -noout -ext basicConstraints | grep -q CA:TRUE || fail "not a CA"
ctl ca "$url" --allow-simulation --out "$ca" --mrenclave "$mrenclave" >/dev/null || fail "again"
ctl ca "$url" --allow-simulation --out "$work/any.pem" --any-instance >/dev/null || fail "--any-instance"
check cmp -s "$ca" "$work/any.pem"

# into an empty file, as mktemp makes it; not into what has no end
: >"$work/empty.pem"
ctl ca "$url" --allow-simulation --out "$work/empty.pem" --mrenclave "$mrenclave" >/dev/null || fail "into an empty file"
check cmp -s "$ca" "$work/empty.pem"
! ctl ca "$url" --allow-simulation --out /dev/stdout --mrenclave "$mrenclave" 2>"$work/why" | cat || fail "into a pipe"
contains "$(cat "$work/why")" "--out /dev/stdout: not a file"
# no bundle is not an empty one
! ctl egress-ca set /dev/null "${to[@]}" 2>"$work/why" || fail "an empty bundle"
contains "$(cat "$work/why")" "the bundle is empty"

# believed by who knows only the CA
for name in localhost 127.0.0.1; do
    contains "$(curl -sS --cacert "$ca" "https://$name:$port/hello/")" Hello
done
contains "$(curl -sS --cacert "$ca" --connect-to "gate.example:$port:127.0.0.1:$port" "https://gate.example:$port/hello/")" Hello
! curl -sS --cacert "$ca" --connect-to "other.example:$port:127.0.0.1:$port" "https://other.example:$port/" 2>/dev/null || fail "believed for any name"
openssl s_client -connect "127.0.0.1:$port" -CAfile "$ca" -verify_return_error -verify_hostname localhost </dev/null >/dev/null 2>&1 || fail "openssl"
python3 - "$ca" "$port" <<'PY' || fail "python"
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
assert b"Hello" in urllib.request.urlopen("https://localhost:%s/hello/" % sys.argv[2], context=context).read()
PY
ctl verify "$url" --allow-simulation --issuer "$ca" >/dev/null || fail "--issuer"

# clients whose clocks are nine minutes behind believe a server that was just deployed to, and a CA that was just made
push again hello-c
export LD_PRELOAD=$BUILD/lib/libbehind.so CLOCK_BEHIND=540
contains "$(curl -sS --cacert "$ca" "https://localhost:$port/again/")" Hello
ctl verify "$url" --policy "$policy" --mrenclave "$mrenclave" >"$work/late" || fail "$(cat "$work/late")"
export CLOCK_BEHIND=3600
! curl -sS --cacert "$ca" "https://localhost:$port/again/" 2>"$work/why" || fail "the clock is not behind at all"
contains "$(cat "$work/why")" "not yet valid"
unset LD_PRELOAD

# the same instance after a restart has the same CA; another instance is told from it, and its CA is not put over the old one
check stop
check start --san gate.example
ctl ca "$url" --allow-simulation --out "$ca" --mrenclave "$mrenclave" >/dev/null || fail "after a restart"
check stop
cp "$ca" "$work/before.pem"
rm -r "$work/data"
check start
! ctl ca "$url" --allow-simulation --out "$ca" --mrenclave "$mrenclave" 2>"$work/why" || fail "another instance's CA was put over the first's"
contains "$(cat "$work/why")" "another enclave"
check cmp -s "$ca" "$work/before.pem"
! ctl ca "$url" --allow-simulation --out "$work/new.pem" --issuer "$ca" 2>"$work/why" || fail "--issuer pins nothing"
contains "$(cat "$work/why")" "certificate issuer"
! curl -sS --cacert "$ca" "https://localhost:$port/" 2>/dev/null || fail "the old CA is believed for a new instance"
[ ! -e "$work/new.pem" ] && ! ls "$work"/*.tmp* 2>/dev/null || fail "files are left behind"

# a certificate that is not for the address one uses is worth a word
check stop
check start --no-localhost --san gate.example
ctl ca "$url" --allow-simulation --out "$work/new.pem" --mrenclave "$mrenclave" >/dev/null 2>"$work/why" || fail "not saved"
contains "$(cat "$work/why")" "not for 127.0.0.1"
check stop
