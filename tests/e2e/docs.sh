#!/usr/bin/env bash
# Every command that README, docs and bindings show, run as it is written there, as tests/docs/table says how.
LAYERS="/usr/local /etc /var/lib"
. "$(dirname "$0")/inside.sh"
. "$(dirname "$0")/lib.sh"
trap 'leave; cleanup' EXIT
cd "$SOURCE"

# the documents and the table have the same commands
mapfile -t documents < <(git -c safe.directory='*' ls-files '*.md')
python3 tests/docs/commands.py "${documents[@]}" | sed 's/&lt;/</g' >"$work/found"
sed -n '/^[^#].* ::: /s/.* ::: //p' tests/docs/table | LC_ALL=C sort -u >"$work/known"
unknown=$(while IFS=$'\t' read -r place command; do grep -qxF -e "$command" "$work/known" || echo "$place: $command"; done <"$work/found")
[ -z "$unknown" ] || fail "no line of tests/docs/table says how to run these: $unknown"
stale=$(cut -f2- "$work/found" | LC_ALL=C sort -u | LC_ALL=C comm -13 - "$work/known")
[ -z "$stale" ] || fail "no document has these any more: $stale"

# what stands for the words in capitals
echo '{"environment":{"NAME":"value"},"egress":["api.example.com"]}' >"$work/settings.json"
echo '{"witnesses":[]}' >"$work/witnesses.json"
simulation=--allow-simulation
admin="--url https://localhost:8443 --admin-key $SOURCE/admin.key --policy $SOURCE/policy.json"
pki=/var/lib/enclave-os-sim/quote-simulation
pccs=http://127.0.0.1:8081
trusted="--allow-simulation --root $pki/root.pem"
hello=$(sha256sum build/apps/hello-c.wasm | cut -d' ' -f1)
python3 tests/suite.py list build >"$work/tests"

ended_or_logged() { gone "$server" || logged "$1"; }
serve() { # COMMAND
    [ -z "$server" ] || stop
    : >"$work/server.log" # or the line that the one before wrote would do for this one
    eval "exec ${1//DIR/$work/data} --collateral-listen 127.0.0.1:8081" >"$work/server.log" 2>&1 &
    server=$!
    await "the server" ended_or_logged '^ready'
    logged '^ready' || fail "it does not serve: $1: $(cat "$work/server.log")"
    mrsigner=$(ctl verify https://localhost:8443 --allow-simulation | awk '$2 == "mrsigner" {print $3}') || true
}
# while_asked COMMAND...: with somebody asking the server all the while
while_asked() {
    while :; do get /healthz || true; sleep 0.1; done >/dev/null 2>&1 &
    local asking=$! status=0
    timeout "$hang" "$@" || status=$?
    kill $asking
    return $status
}
# offset_of FUNCTION: in ELRANGE, in hexadecimal, as an exception inside tells it
offset_of() { printf '%x' $((0x$(nm build/enclave_os.debug | awk -v name="$1" '$3 == name {print $1}') + 0x200000)); }
url=https://localhost:8443
ran=0
while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    how=${line%% ::: *} command=${line#* ::: }
    case $how in
    run) ;;
    online) ;;
    serve) serve "$command"; ran=$((ran + 1)); continue ;;
    with\ *) eval "script=\"${how#with }\""; command=$(sed -E "$script" <<<"$command") ;;
    test\ *)
        case $command in './dev test '*) names=${command#./dev test } ;; *) names=${how#test } ;; esac
        for name in ${how#test } $names; do # a test, or a folder of them
            grep -qE "^$name(/|$)" "$work/tests" || fail "$command: there is no test $name"
        done
        continue
        ;;
    not\ *) continue ;;
    *) fail "tests/docs/table: '$how'" ;;
    esac
    echo "$ $command"
    if [ "$how" = online ]; then
        online bash -c "$command" || fail "$command"
    else
        eval "$command" </dev/null >"$work/said" 2>"$work/errors" || fail "$command: $(cat "$work/said" "$work/errors")"
    fi
    ran=$((ran + 1))
    case $command in # what the document says that comes of it
    'curl --cacert ca.pem https://localhost:8443/hello/') equal "$(cat "$work/said")" "Hello from C inside the enclave" ;;
    'build/bin/enclavectl ca '*) check openssl x509 -in ca.pem -noout ;;
    'enclavectl log '*) contains "$(cat "$work/said")" "app push hello" ;;
    'enclavectl witness set '*) contains "$(cat "$work/said")" "no witness cosigns the history" ;;
    bench/pairs.py*) equal "$(grep -cE '^\| (hello|handshake) \|' "$work/said")" 2 "rows of: $(cat "$work/said")" ;;
    'enclavectl monitor '*) equal "$(wc -l <"$work/said")" 3 "entries that the monitor has shown" ;;
    *'app settings hello --url'*) contains "$(cat "$work/said")" api.example.com ;;
    'node apps/componentize.mjs apps/common/handler.wit '*) check cmp files.wasm build/apps/files-c.wasm ;;
    'node apps/componentize.mjs apps/common/command.wit '*) check cmp sum.wasm build/apps/sum-c.wasm ;;
    *"'break worker_init'"*) # and then a fault, as the document says that one looks at it
        contains "$(cat "$work/said")" " at ./enclave/main.c:"
        contains "$(cat "$work/said")" "rip = 16,"
        contains "$(cat "$work/said" "$work/errors")" "at image offset 0000000000000010"
        ;;
    *"'break route_request'"*)
        contains "$(cat "$work/said")" "#0  route_request ("
        contains "$(cat "$work/said")" " at ./enclave/https/h1.c:"
        ;;
    *"'info line"*) contains "$(cat "$work/said")" "./enclave/service/router.c" ;;
    'cmake --install'*) check pkg-config --exists enclave-verifier ;;
    esac
done <tests/docs/table

# the example for Python, against the server that runs, with what it leaves open filled in
awk '/^```python$/ {on = 1; next} /^```$/ {on = 0} on' bindings/python/README.md >"$work/example.py"
curl -sf "$pccs/sgx/certification/v4/rootcacrl" >/dev/null || fail "no collateral is served"
sed -i "s|Policy.load(\"policy.json\", log_state=\"log.state\")|Policy(mrenclave=\"$mrenclave\", allow_simulation=True, log_state=\"$work/python.state\")|
        s|Policy.load(\"policy.json\")|Policy(mrenclave=\"$mrenclave\", allow_simulation=True, roots=open(\"$pki/root.pem\").read(), any_instance=True)|
        s|Policy(mrenclave=\"...\")|Policy(mrenclave=\"$mrenclave\", allow_simulation=True)|;
        s|https://pccs.example:8081|$pccs|;s|https://enclave.example:8443/hello/|https://127.0.0.1:8443/healthz|
        s|https://enclave.example:8443|https://localhost:8443|;s|ca.pem|$work/python-ca.pem|" "$work/example.py"
contains "$(venv/bin/python "$work/example.py")" '"status":"ok"'
check cmp "$work/python-ca.pem" python-ca.pem
# the package that is built without a library, and without one that is installed, is none
if ldconfig -p | grep -q '/usr/lib.*libenclave-verifier'; then :; else
    cp -r bindings/python "$work/alone"
    rm -f /usr/local/lib/*/libenclave-verifier* /usr/local/lib/libenclave-verifier*
    ldconfig
    ! online venv/bin/pip wheel --no-deps --wheel-dir "$work/wheels" "$work/alone" >"$work/said" 2>&1 || fail "a wheel that cannot be imported"
    contains "$(cat "$work/said")" "neither built (./dev build) nor installed"
fi
check stop
echo "$ran commands were run as they are written"
