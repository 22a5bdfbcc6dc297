# What the tests of hand-overs share: images of the same code that are measured differently, a second server beside lib.sh's,
# and what an administrator says. Sourced behind lib.sh.
elf=$BUILD/enclave_os.elf

# make_image FILE SVN STACKS [KEY [PRODUCT]]: signed by KEY, or by the developer's; STACKS makes the measurement another
make_image() {
    sed -e "s|<ISVSVN>.*</ISVSVN>|<ISVSVN>$2</ISVSVN>|" -e "s|<GuestStackNum>.*</GuestStackNum>|<GuestStackNum>$3</GuestStackNum>|" \
        -e "s|<ProdID>.*</ProdID>|<ProdID>${5:-1}</ProdID>|" "$SOURCE/config/enclave.config.xml" >"$work/config.xml"
    ctl sign --config "$work/config.xml" --key "${4:-$BUILD/signing-key.pem}" --out "$1" "$elf" >/dev/null
}

new_port=$(free_port)
new_url=https://127.0.0.1:$new_port
new_server=
# new_begin [option ...]: the new enclave, with its data in $work/new-data; does not wait
new_begin() {
    : >"$work/new.log"
    "$HOST" serve --image "${NEW_IMAGE:-$work/next.signed}" --listen "127.0.0.1:$new_port" --data "$work/new-data" \
        --sim-dir "${NEW_SIM:-$work/sim}" --request-timeout "${hang}000" --take-over "${TAKE_FROM:-$url}" "$@" >>"$work/new.log" 2>&1 &
    new_server=$!
}
new_logged() { grep -q -e "$1" "$work/new.log" || { kill -0 "$new_server" 2>/dev/null || fail "the new one ended: $(cat "$work/new.log")"; false; }; }
new_ready() { new_logged '^ready'; }
new_get() { ask "$new_url$1" "${@:2}"; }
new_ends() { local result=0; wait "$new_server" || result=$?; new_server=; return $result; }
old_ends() { local result=0; wait "$server" || result=$?; server=; return $result; }

recipient() { cat "$work/new-data/recipient"; }
shown() { [ -s "$work/new-data/recipient" ]; }
# approve RECIPIENT [KEY [STATEMENT-FILE ...]]: prints the answer and, on a line of its own, the status
approve() {
    local statements= file
    for file in "${@:3}"; do statements+=${statements:+,}\"$(tr -d '\n' <"$file")\"; done
    printf '{"recipient":"%s"%s}' "$1" "${statements:+,\"statements\":[$statements]}" >"$work/order"
    local token
    token=$(python3 "$(dirname "${BASH_SOURCE[0]}")/admin_token.py" "${2:-$admin}" "$(spki_sha256)" method=POST path=/_enclave/hand-over scope= "body=$work/order")
    get /_enclave/hand-over -X POST -H "Expect: 100-continue" --data-binary "@$work/order" -H "Authorization: Bearer $token" -w '\n%{http_code}\n'
}
known() { old_log "recipient $(recipient) may be approved"; }
old_log() { grep -q -e "$1" "$work/server.log"; }
