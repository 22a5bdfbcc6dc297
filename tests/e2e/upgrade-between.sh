#!/usr/bin/env bash
# Somebody between the two enclaves of a hand-over, who answers for the old one as he likes, before its commit and behind it;
# and a host that gives other records than the old one committed. The old one offers the instance to the same recipient
# alone, the new one goes on as soon as the way is honest, and nothing that was acknowledged is lost.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/upgrade_lib.sh"
make_image "$work/next.signed" 2 575
count() { get /counter/ | grep -o '[0-9]*$' | tail -n 1; }
given() { logged "this instance has been given"; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=between -keyout "$work/between.key" \
    -out "$work/between.pem" 2>/dev/null
between=$(free_port) other_port=$(free_port)
mode() { # MODE [KIND]: from now on; with KIND returns when such a request was answered so
    : >"$work/asked"
    echo "$1" >"$work/mode"
    [ -z "${2:-}" ] || await "a request, $2, while the mode is $1" grep -q "^${1#commit-} $2 " "$work/asked"
}
mode pass

"$HOST" serve --image "$BUILD/enclave_os.signed" --listen "127.0.0.1:$other_port" --data "$work/other-data" --sim-dir "$work/sim" \
    --admin-key "$admin.pub" --upgrade-rule signer >"$work/other.log" 2>&1 &
check start --upgrade-rule signer
push counter counter-c
push files files-c
equal "$(count)" 1
head -c 70000 /dev/urandom >"$work/large"
equal "$(status /files/large -X PUT --data-binary "@$work/large")" 200 "a file"
python3 "$(dirname "$0")/between.py" "$between" "$port" "$other_port" "$work/mode" "$work/asked" "$work/between.pem" "$work/between.key" &
await "who is between" listening_to "$between"
await "another instance" grep -q '^ready' "$work/other.log"
TAKE_FROM=https://127.0.0.1:$between

# ---- before the commit: the old one serves on, whatever is answered for it ----
approved() { # as an operator would, who looks whether it is known
    await "the recipient" shown
    await "the old one's knowledge of it" known
    equal "$(approve "$(recipient)" | tail -n 1)" 200
}
mode commit-cut
new_begin
approved
mode commit-cut commit # it has copied everything, and has asked; nobody has heard it
crash                  # the old one forgets it: another session, of the same recipient
check start
mode pass
await "the old one's knowledge of it" known
equal "$(count)" 2
for lie in first last 403 404 410 junk other; do
    mode commit-$lie commit
    equal "$(status /counter/peek)" 200 "the old one, before the commit, while the answer is $lie"
done
kill -0 "$new_server" || fail "the new one ended: $(cat "$work/new.log")"
equal "$(count)" 3 # the last that the old one acknowledges

# ---- behind it: nobody hears that it was made ----
cp -r "$work/data" "$work/before"
mode commit-lost
approved
await "the commit" given
served_by_nobody() { # WHILE
    equal "$(status /counter/)" 503 "the old one, behind the commit, while the answer is $1"
    new_logged '^ready' && fail "the new one serves, while the answer is $1"
    kill -0 "$new_server" || fail "the new one ended, while the answer is $1: $(cat "$work/new.log")"
}
for lie in first last bent twice again junk empty half long 403 404 410 503 other cut; do
    mode $lie commit
    served_by_nobody $lie
done
mode silent
await "what is not answered" grep -q '^held commit' "$work/asked"
served_by_nobody silent

# ---- each side is started again, and the old one's host gives other records ----
kill -KILL "$new_server"
wait "$new_server" 2>/dev/null || true
crash
check start
check given
store() { "$BUILD/bin/lmdb_tool" "$work/data" "$@"; }
cp -r "$work/data" "$work/given"
store flip =65536 middle # of the file: what is large is there once
mode pass-3              # all of it, the commit's answer, and what has changed
new_begin
await "what is said of a damaged record" new_logged "of the records that were copied 1 is damaged: copying all of them again"
store become "$work/before" # what opens, and is what it was
mode pass-1
await "what is said of older records" new_logged "the records are those of another time than the old one's commit"
store become "$work/given"
mode pass
await "the new one" new_ready
await "the old one's end" gone "$server"
old_ends || fail "the old one ended with $?"
equal "$(new_get /counter/ | grep -o '[0-9]*$' | tail -n 1)" 4 "what was acknowledged, and one more"
new_get /files/large | cmp -s - "$work/large" || fail "the file is another one"
! new_logged "records are damaged; reading" || fail "the new one keeps what is damaged"
kill -TERM "$new_server"
new_ends || fail "the new one ended with $?"
