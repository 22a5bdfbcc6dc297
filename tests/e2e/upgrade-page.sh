#!/usr/bin/env bash
# docs/operate.md, "Upgrade" and "Move to another machine", word for word: each command that stands there, with this test's
# port and folders in the place of the document's, one after the other; servers in the background.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
. "$(dirname "$0")/page_lib.sh"
export PATH=$BUILD/bin:$PATH
# What the documents call by other names. On the second page the new machine has another processor, and another port.
here() { sed -e "s|0.0.0.0:8443|127.0.0.1:$port|; s|localhost:8443|127.0.0.1:$port|g; s|/var/lib/app|$work/data|g; s|/var/lib/next|$work/next|g; s|/var/lib/moved|$work/moved|g"; }
there() { sed -e "s|0.0.0.0:8443|127.0.0.1:$new_port|; s|old.example:8443|127.0.0.1:$port|; s|new.example:8443|127.0.0.1:$new_port|; s|/var/lib/moved|$work/moved|g"; }
cd "$work"
served=() name= # processes; the new one, as an administrator approves it
follow() { # COMMANDS SIM LOG
    local command ran=0
    while IFS= read -r command; do
        echo "$ $command"
        case $command in
        enclave-os\ serve*)
            eval "exec $command --sim-dir $2 --request-timeout ${hang}000" >"$3" 2>&1 &
            served+=($!)
            await "the new one's name" grep -q '^hand-over: recipient' "$3"
            name=$(sed -n 's/^hand-over: recipient //p' "$3")
            ;;
        *) eval "${command/--recipient HEX/--recipient $name}" </dev/null >"$work/said" 2>"$work/errors" || fail "$command: $(cat "$work/said" "$work/errors")" ;;
        esac
        ran=$((ran + 1))
    done <"$1"
    [ $ran -ge "$4" ] || fail "the page has $ran commands"
}

make_image "$work/next.signed" 2 577
check start
push v hello-c
first_use
cp "$policy" "$work/policy.kept"

# Upgrade.
page "Upgrade" | here >"$work/commands"
follow "$work/commands" "$work/sim" "$work/next.log" 6
contains "$(cat "$work/next.log")" "ready after"
check old_ends
server=${served[0]}
contains "$(get /v/)" "Hello"
ctl verify "$url" --policy "$work/next.json" >"$work/said" || fail "$(cat "$work/said" "$work/next.json")"
contains "$(cat "$work/next.json")" '"predecessors"'

# Move: another processor, the same image, which the rule names.
cp "$work/next.signed" "$work/app.signed"
cp "$work/next.json" "$work/policy.json"
page "Move to another machine" | there >"$work/commands"
follow "$work/commands" "$work/other-sim" "$work/moved.log" 2
check old_ends
server=${served[1]}
contains "$(new_get /v/)" "Hello"
check ctl verify "$new_url" --policy "$work/next.json" >/dev/null
kill -TERM "$server"
check old_ends
