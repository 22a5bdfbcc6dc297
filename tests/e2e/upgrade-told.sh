#!/usr/bin/env bash
# enclavectl upgrade says what is so: an old enclave that was started again, and has forgotten the approval, is not the new
# one, of another image or of the same; and it floods nobody.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
make_image "$work/next.signed" 2 577
check start --upgrade-rule signer
first_use
next=$(ctl measure "$work/next.signed" | grep -oE '[0-9a-f]{64}' | head -n 1)

forgets() { # IMAGE MRENCLAVE
    local result=0
    rm -rf "$work/new-data"
    NEW_IMAGE=$1 new_begin
    await "the new one" shown
    await "the old one's knowledge of it" known
    kill -STOP "$new_server" # it is approved, and comes no further
    : >"$work/said" # or what was said before would do
    ctl upgrade --data "$work/new-data" "${to[@]}" --mrenclave "$2" >"$work/said" 2>"$work/errors" & command=$!
    await "the approval" grep -q "it may have the instance" "$work/said"
    kill -KILL "$server"
    wait "$server" || true
    check start
    wait $command || result=$?
    equal $result 1 "the command's status"
    contains "$(cat "$work/errors")" "the old enclave was started again, and has forgotten the approval: give this command again"
    equal "$(wc -l <"$work/errors")" 1 "lines of what is wrong: $(cat "$work/errors")"
    ! grep -q "all is done" "$work/said" || fail "it says that all is done"
    kill -KILL "$new_server"
    wait "$new_server" 2>/dev/null || true
}
forgets "$work/next.signed" "$next"
forgets "$BUILD/enclave_os.signed" "$next"

# $command has approved a new one that stands still, and follows it.
approved_and_stopped() {
    rm -rf "$work/new-data"
    NEW_IMAGE=$work/next.signed new_begin
    await "the new one" shown
    await "the old one's knowledge of it" known
    kill -STOP "$new_server"
    : >"$work/said" # or what was said before would do
    ctl upgrade --data "$work/new-data" "${to[@]}" --mrenclave "$next" >"$work/said" 2>"$work/errors" & command=$!
    await "the approval" grep -q "it may have the instance" "$work/said"
}

# Whose approval is void, since the rule is another now, is told to give it again.
approved_and_stopped
printf '{"rule":"measurements","measurements":[]}' >"$work/rule.json"
check ctl upgrade-rule set "$work/rule.json" "${to[@]}" >/dev/null
await "the command's end" gone $command
result=0
wait $command || result=$?
equal $result 1 "the command's status"
contains "$(cat "$work/errors")" "the old enclave serves on, and lets this recipient have nothing any more: "
contains "$(cat "$work/errors")" "give this command again"
printf '{"rule":"measurements","measurements":["%s"]}' "$next" >"$work/rule.json"
check ctl upgrade-rule set "$work/rule.json" "${to[@]}" >/dev/null
kill -KILL "$new_server"
wait "$new_server" 2>/dev/null || true

# Whose key is taken out meanwhile is told at once that he can follow it no more.
check ctl keygen "$work/b.key" >/dev/null
check ctl admin add "$work/b.key.pub" --role admin "${to[@]}" >/dev/null
approved_and_stopped
own=$(openssl pkey -pubin -in "$admin.pub" -outform DER | sha256sum | cut -c1-64)
ctl admin rm "$own" --url "$url" --policy "$policy" --admin-key "$work/b.key" >/dev/null
result=0
await "the command's end" gone $command
wait $command || result=$?
equal $result 1 "the command's status"
contains "$(cat "$work/errors")" "it does not tell this key how far a hand-over is (/status is refused): the two go on without this command"
kill -KILL "$new_server"
wait "$new_server" 2>/dev/null || true

# Whose folder is misspelt is told so, and not of the port alone.
for folder in "$work/no-such-folder" "$work/sim"; do
    rm -rf "$work/new-data"
    new_port=$port new_begin --listen-from "$folder"
    new_ends && fail "it serves beside the old one"
    contains "$(cat "$work/new.log")" "--listen-from $folder: "
    contains "$(cat "$work/new.log")" "--listen 127.0.0.1:$port: cannot listen there: Address already in use"
done

# With the port's sockets, and nobody who takes from them: the new one ends, too, and says in which order to begin again.
rm -rf "$work/new-data"
new_port=$port new_begin --listen-from "$work/data"
await "the new one" shown
kill -KILL "$server"
wait "$server" || true
new_ends && fail "it ended well, without the old one"
contains "$(cat "$work/new.log")" "the server of $work/data has ended before this one serves: start it again, and then this one"
check start
kill -TERM "$server"
check old_ends

# A server's folder that waits for nothing is not waited for; given again after all was done, the command says that it is.
rm -rf "$work/new-data"
check start
result=0
ctl upgrade --data "$work/data" "${to[@]}" --mrenclave "$next" >"$work/said" 2>"$work/errors" || result=$?
equal $result 1 "the command's status"
contains "$(cat "$work/errors")" "serves already, and waits for no approval"
new_port=$port NEW_IMAGE=$work/next.signed new_begin --listen-from "$work/data"
await "the new one" shown
# with the key that is left
again() { ctl upgrade --data "$work/new-data" --url "$url" --policy "$policy" --admin-key "$work/b.key" --mrenclave "$next" "$@"; }
check again >"$work/said"
contains "$(cat "$work/said")" "all is done"
check old_ends
for form in "" --json; do
    check again $form >"$work/said"
    contains "$(cat "$work/said")" "the new enclave serves, and is verified"
    equal "$(wc -l <"$work/said")" "$([ -n "$form" ] && echo 1 || echo 2)" "lines: $(cat "$work/said")"
done
again --mrenclave "$next" --app no=$(printf %064d 0) >"$work/said" 2>"$work/errors" && fail "it is verified by what it is not"
contains "$(cat "$work/errors")" "is not verified by what was given"
kill -TERM "$new_server"
check new_ends
