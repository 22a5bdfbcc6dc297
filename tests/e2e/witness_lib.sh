# Witnesses for tests: litewitness, each with a key, a database and a port of its own. Sourced after lib.sh.
#
#     witness_start w1                             listens on ${witness_port[w1]}; its key is ${witness_vkey[w1]}
#     witness_know w1 ORIGIN VKEY                  the log that it cosigns from now on
#     witness_size w1 ORIGIN                       what it has seen of that
#     witness_stop w1, and witness_start w1        later, with all that it knew, on the same port
#     witness_forget w1                            as one that was never there

declare -A witness_port witness_vkey witness_pid witness_agent
witness_programs=$("$SOURCE/tests/witness/build.sh") # litewitness, asker

witness_listens() { grep -q 'msg=listening' "$work/witness-$1/log" && listening_to "${witness_port[$1]}"; }

witness_start() { # NAME
    local folder=$work/witness-$1
    mkdir -p "$folder"
    [ -f "$folder/key" ] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$folder/key"
    [ -n "${witness_port[$1]:-}" ] || witness_port[$1]=$(free_port)
    if [ -z "${witness_agent[$1]:-}" ]; then
        ssh-agent -D -a "$folder/agent" >/dev/null &
        witness_agent[$1]=$!
        SSH_AUTH_SOCK=$folder/agent await "ssh-agent" ssh-add -q "$folder/key"
    fi
    : >"$folder/log"
    "$witness_programs/litewitness" -name "$1.example" -db "$folder/db" -ssh-agent "$folder/agent" \
        -key "$(ssh-keygen -lf "$folder/key.pub" | cut -d' ' -f2)" -listen "127.0.0.1:${witness_port[$1]}" 2>>"$folder/log" &
    witness_pid[$1]=$!
    await "the witness $1" witness_listens "$1"
    witness_vkey[$1]=$(sed -n 's/.*msg="verifier key" vkey=//p' "$folder/log" | tr -d '"')
}
witness_stop() { # NAME
    kill -INT "${witness_pid[$1]}"
    wait "${witness_pid[$1]}" || true
    witness_pid[$1]=
}
witness_sql() { # NAME STATEMENT VALUE...: what it selects, one value a line
    python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60)
with db:
    for row in db.execute(sys.argv[2], sys.argv[3:]): print(*row)' "$work/witness-$1/db" "${@:2}"
}
witness_know() { # NAME ORIGIN VKEY
    witness_sql "$1" "INSERT INTO log VALUES (?, 0, '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=')" "$2"
    witness_sql "$1" "INSERT INTO key VALUES (?, ?)" "$2" "$3"
}
witness_size() { witness_sql "$1" "SELECT tree_size FROM log WHERE origin = ?" "$2"; } # NAME ORIGIN
witness_forget() { # NAME
    [ -z "${witness_pid[$1]:-}" ] || witness_stop "$1"
    kill "${witness_agent[$1]}"
    rm -rf "$work/witness-$1"
    witness_agent[$1]='' witness_port[$1]=
}

# ---- servers with witnesses -----------------------------------------------------------------------------------------

count() { get /counter/ | grep -o '[0-9]*$' | tail -n 1; } # of the app counter-c, one more each time
# --witness and its like for the witnesses NAME...
options_for() {
    local name
    for name in "$@"; do
        options+=(--witness "$name=$(witness_url "$name"),${witness_vkey[$name]}")
    done
}
declare -A witness_at # where servers find it, if not at its own port: at a proxy's, or another front's
witness_url() { echo "${witness_at[$1]:-http://127.0.0.1:${witness_port[$1]}}"; } # NAME
# set_of NAME...: a file for enclavectl witness set
set_of() {
    local name list=
    for name in "$@"; do
        list+="${list:+,}{\"name\":\"$name\",\"url\":\"$(witness_url "$name")\",\"key\":\"${witness_vkey[$name]}\"}"
    done
    echo "{\"witnesses\":[$list]}" >"$work/set.json"
}
# launch OPTION...: as start, but returns at once
launch() {
    : >"$work/server.log"
    "$HOST" serve --image "${IMAGE:-$BUILD/enclave_os.signed}" --listen "127.0.0.1:$port" --data "$work/data" \
        --sim-dir "$work/sim" --admin-key "$admin.pub" --request-timeout "${hang}000" "$@" >>"$work/server.log" 2>&1 &
    server=$!
}
ready() { logged '^ready'; }
ended() { ! kill -0 "$server" 2>/dev/null; }
# ends_with STATUS TEXT: the server ends by itself, with a line that has TEXT
ends_with() {
    local result=0
    await "the server's end" ended
    wait "$server" || result=$?
    server=
    equal "$result" "$1" "its status"
    check logged "$2"
}
# From the line that is for who operates a witness
log_origin() { sed -n 's/.*cosign the log \(enclave-os\/[0-9a-f]*\) before.*/\1/p' "$work/server.log" | tail -n 1; }
log_key() { sed -n 's/.*its key is \(enclave-os\/.*\)$/\1/p' "$work/server.log" | tail -n 1; }
# A first boot with the witnesses NAME..., which get to know the log when it asks
first_boot() {
    local name
    options=()
    options_for "$@"
    launch "${options[@]}" "${more[@]}"
    await "the log's name" logged "its key is"
    origin=$(log_origin)
    for name in "$@"; do witness_know "$name" "$origin" "$(log_key)"; done
    await "the first cosignatures" ready
    rm -f "$policy" # of another instance
}
more=()
# witness_proxy NAME: what the server asks of this witness goes through lying_witness.py from now on
witness_proxy() {
    local through
    through=$(free_port)
    witness_at[$1]=http://127.0.0.1:$through
    echo pass >"$work/witness-$1/mode"
    : >"$work/witness-$1/asked"
    python3 "$SOURCE/tests/e2e/lying_witness.py" "$through" "${witness_port[$1]}" "$work/witness-$1/mode" \
        "$work/witness-$1/asked" &
    witness_proxy_pid=$!
    await "the proxy of $1" listening_to "$through"
}
witness_mode() { # NAME MODE: of what the proxy begins to answer from now on; returns when one was answered so
    echo "$2" >"$work/witness-$1/mode"
    : >"$work/witness-$1/asked"
    await "a question to $1" grep -q "^$2 " "$work/witness-$1/asked"
}
# witness_holds NAME STEP: what the proxy forwards from now on stays there; then await "..." witness_held NAME STEP
witness_holds() {
    : >"$work/witness-$1/asked"
    echo "hold-$2" >"$work/witness-$1/mode"
}
witness_held() { grep -q "^held-$2 " "$work/witness-$1/asked"; }
witness_passes() { echo pass >"$work/witness-$1/mode"; } # NAME
