#!/usr/bin/env bash
# README's first command as it stands there: `./dev run` with no environment but HOME and PATH (and where this machine's caches
# are, if that is elsewhere), on its own ports. It comes to serving, answers to a client that has verified it, and ends in good
# order and without a trace on each signal. A second one beside it says what is in its way; one after a rebuild, with another
# measurement, begins anew and says so.
#
# In namespaces of its own, where nobody else is on the ports, and where what it writes goes to a layer above the tree.
. "$(dirname "$0")/inside.sh"
. "$(dirname "$0")/lib.sh"
trap 'leave; cleanup' EXIT
cd "$SOURCE"
rm -rf build/run

# Where caches lie is no setting of the command's: with others it would build everything anew.
caches=()
for name in ENCLAVE_OS_CACHE XDG_CACHE_HOME CARGO_HOME; do
    [ -z "${!name:-}" ] || caches+=("$name=${!name}")
done

# dev_run [VARIABLE=VALUE...]: in the background, with its words in $work/words; its process in $dev
dev_run() {
    : >"$work/words" # or what an earlier one said would do for this one
    env -i --default-signal=INT HOME="$HOME" PATH="$PATH" "${caches[@]}" "$@" ./dev run >"$work/words" 2>&1 &
    dev=$!
}
said() { grep -qF -e "$1" "$work/words"; }
ended_or() { gone "$dev" || said "$1"; }
serving() {
    await "'serving'" ended_or "serving; Ctrl-C stops"
    said "serving; Ctrl-C stops" || fail "./dev run ended: $(tail -n 5 "$work/words")"
}
refused() { # WORDS [VARIABLE=VALUE...]: it ends with them
    local words=$1 code=0
    shift
    dev_run "$@"
    wait "$dev" || code=$?
    [ $code -ne 0 ] || fail "a ./dev run that cannot serve ended with 0"
    said "$words" || fail "it does not say '$words': $(tail -n 5 "$work/words")"
}
end() { # SIGNAL
    local code=0
    kill "-$1" "$dev"
    wait "$dev" || code=$?
    equal "$code" 0 "the status after SIG$1"
    said "stopping" || fail "it does not say that it stops"
    ! said "by a second signal" || fail "the server was not given the time to end"
    ! listening 8443 || fail "port 8443 is not free after SIG$1"
    ! listening 8081 || fail "port 8081 is not free after SIG$1"
}
url=https://localhost:8443
mrenclave=$(ctl measure "$BUILD/enclave_os.signed")
asked() {
    rm -f "$work/ca.pem"
    ctl ca "$url" --out "$work/ca.pem" --allow-simulation --mrenclave "$1" >/dev/null
    equal "$(curl -s --cacert "$work/ca.pem" "$url/hello/")" "Hello from C inside the enclave"
}

dev_run
serving
said "verified, as a SIMULATION" || fail "it has not verified what it serves"
for toolchain in hello-js notes-python notes-go notes-rust as-avr; do ! said "$toolchain" || fail "it built $toolchain"; done
asked "$mrenclave"
first=$dev
cp "$work/words" "$work/first"
refused "port 8443 is taken"
refused "port 8081 is taken" LISTEN=127.0.0.1:9443
dev=$first
cp "$work/first" "$work/words"
kill -INT "$dev"
code=0
wait "$dev" || code=$?
equal "$code" 0 "the status after SIGINT"
! listening 8443 || fail "port 8443 is not free after SIGINT"

dev_run # the same data
serving
! said "differs" || fail "the same image is taken for another"
asked "$mrenclave"
end TERM

dev_run LISTEN=127.0.0.1:9443 COLLATERAL_LISTEN=127.0.0.1:9081
serving
said "curl --cacert" || fail "no curl is shown"
said "https://localhost:9443/hello/" || fail "it does not show where it listens"
end HUP

dev_run # whose server ends by itself
serving
pkill -TERM -P "$dev" enclave-os
code=0
wait "$dev" || code=$?
equal "$code" 0 "the status where the server ends by itself"
! said "unbound" || fail "it ends with $(tail -n 1 "$work/words")"

# another image
sed 's|<HeapInitSize>.*</HeapInitSize>|<HeapInitSize>0x50000000</HeapInitSize>|' config/enclave.config.xml >"$work/other.xml"
ctl sign --config "$work/other.xml" --key "$BUILD/signing-key.pem" --out "$BUILD/enclave_os.signed" "$BUILD/enclave_os.elf" >/dev/null
other=$(ctl measure "$BUILD/enclave_os.signed")
[ "$other" != "$mrenclave" ] || fail "the other image is the same"
dev_run
serving
said "this image differs from the one before" || fail "nobody says that the store is a new one"
asked "$other"
end INT
rm "build/run/${other:0:16}/admin.key"
refused "remove build/run/${other:0:16} to begin anew"
