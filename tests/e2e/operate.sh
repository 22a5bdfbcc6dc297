#!/usr/bin/env bash
# docs/operate.md, "Recover", "Back up and restore" and "Salvage", word for word: each command that stands there, with this test's port and
# folders in the place of the document's, one after the other, of one instance from its first boot on.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/page_lib.sh"
export PATH=$BUILD/bin:$PATH
cd "$work"
cp "$BUILD/enclave_os.signed" app.signed
mkdir backup
data=$work/data sim=$work/sim tool=$BUILD/bin/lmdb_tool
here() {
    sed -e "s|0.0.0.0:8443|127.0.0.1:$port|; s|localhost:8443|127.0.0.1:$port|g; s|/var/lib/app|$data|g; s|/var/lib/recovered|$work/recovered|g
            s|/backup/|$work/backup/|g; s|--mrenclave \$image|& --allow-simulation|
            s|NAME FILE.wasm|counter $BUILD/apps/counter-c.wasm|; s|LIST|\$list|"
}
# What a command that serves, or ends the server, is here: in the background until it is ready; until it has ended.
serves() { # [STATUS]: it ends by itself, with this status
    local result=0
    next_begins "enclave-os serve"
    eval "exec $command --sim-dir $sim --request-timeout ${hang}000" >"$work/server.log" 2>&1 &
    server=$!
    if [ $# -gt 0 ]; then
        wait "$server" || result=$?
        server=
        equal "$result" "$1" "$command: $(cat "$work/server.log")"
        return
    fi
    await "the server" ready_or_gone
    logged '^ready' || fail "$command: it does not serve"
}
ready_or_gone() { logged '^ready' || gone "$server"; }
stops() { next_begins 'kill $(pidof enclave-os)'; check stop; }
count() { get /counter/ | grep -o '[0-9]*$' | tail -n 1; }
put() { status "/files/$1" -X PUT --data-binary "@$2"; }
head -c 150000 /dev/urandom >large

# Recover, up to the day on which the machine is lost.
begin "Recover" here
for _ in a b c; do step "enclavectl keygen"; done
serves
first_use
push files files-c
push hello hello-c
before=$("$tool" "$data" list | cut -d' ' -f2)
push counter counter-c
of_counter=$("$tool" "$data" list | grep -vF "$before" | awk 'length($2) == 64 {print $3, $2}' | sort -rn | cut -d' ' -f2)
equal "$(put large large)" 200
equal "$(count)" 1
step "enclavectl recover --dry-run"
contains "$said" "2 of 3 shares open, and 2 are needed"
step "enclavectl backup"
crash
rm -rf "$data" "$sim"
# And from there on: another processor, another folder.
sim=$work/other-sim
step "enclavectl restore"
serves 0
step "image="
for _ in a c; do step "enclavectl recover --request"; done
serves
step "enclavectl verify"
finished
equal "$(count)" 2
get /files/large | cmp -s - large || fail "what was backed up is not there"
data=$work/recovered

# Back up and restore. The client remembers the history from the first command that says so.
begin "Back up and restore" here
step "enclavectl backup"
contains "$said" "enclavectl restore"
equal "$(count)" 3
stops
step "enclavectl backup"
"$tool" "$data" flip 3 last # by its disk
step "enclavectl restore"
contains "$said" "nothing is lost"
serves
equal "$(count)" 4
step "enclavectl verify"
stops
step "mv"
refused "enclavectl restore" 1 "Nothing was changed"
step "enclavectl restore"
contains "$said" "What was acknowledged after this backup is lost"
serves
equal "$(count)" 3
refused "enclavectl verify" 1 "log history"
finished

# Salvage: a part of a file is lost, and an app's code.
damage() { "$tool" "$data" flip "$1" middle; }
both() { damage "$("$tool" "$data" twin "$1")"; damage "$1"; }
number_of() { "$tool" "$data" list | awk -v key="$1" '$2 == key {print $1}'; }
check stop
damage "$("$tool" "$data" list | awk 'length($2) == 64 && $3 > 65536 && $3 < 66000 && !n++ {print $1}')"
for key in $(head -n 2 <<<"$of_counter"); do both "$(number_of "$key")"; done # what was compiled, and the component
check start --data "$data" --sim-dir "$sim"
begin "Salvage" here
step "enclavectl salvage ls"
contains "$said" "app counter is stopped"
contains "$said" "app files  fs  file"
list=$(sed -n 's/.*enclavectl salvage give-up //p' <<<"$said")
equal "$(status /counter/peek)" 503
equal "$(status /hello/)" 200
step "enclavectl app push"
equal "$(get /counter/peek)" 3
step "enclavectl salvage give-up"
contains "$said" "1 lost records are given up"
step "enclavectl log"
contains "$said" "salvage: 1 lost records given up"
finished
check stop
check start --data "$data" --sim-dir "$sim"
equal "$(get /files/large | wc -c)" 150000 "the file with a part given up"
check stop
