#!/usr/bin/env bash
# A client that remembers an instance's history: each change is an entry that it can read and check, also one that was taken
# back; a host that puts an old store back is refused, with both heads, and a third party can check that from a file; a file
# of another instance, or a damaged one, is told; and who only follows sees each change in a line.
. "$(dirname "$0")/lib.sh"
state=$work/log.state
full=$work/full.json
said() { "$@" >"$work/said" 2>"$work/why"; }
verify() { said ctl verify "$url" --policy "$policy" --log-state "$state" "$@"; }
ends() { # STATUS WHAT COMMAND...
    local result=0
    "${@:3}" || result=$?
    equal "$result" "$1" "$2: $(cat "$work/said" "$work/why")"
}
remembered() { sed -n 5p "$state"; } # how many entries
history() { ctl log "$url" --policy "$policy" --json "$@"; }
json() { python3 -c "import json, sys; v = json.load(sys.stdin); print($1)"; }

# the first use: policy and state know the log; a file of neither use is made. Links lead to the files, which keep their permissions
mkdir "$work/elsewhere"
ln -s elsewhere/log.state "$state"
ln -s "$work/elsewhere/full.json" "$full"
check start
push one hello-c
first_use
check ctl policy from "$url" --policy "$policy" --out "$full" 2>"$work/why"
key=$(json "v['log']['key']" <"$full")
contains "$key" "enclave-os/$(json "v['instance']" <"$full")+"
ends 0 "the first use" verify --json
equal "$(sed -n 2p "$state")" "$key" "whose log the file is of"
equal "$(json "v['log']['key']" <"$work/said")" "$key" "the key in the result"
[ -L "$state" ] && [ -L "$full" ] && [ -s "$work/elsewhere/log.state" ] && [ -s "$work/elsewhere/full.json" ] || fail "links: $(ls -l "$work")"
chmod 640 "$work/elsewhere/log.state"
equal "$(json "v['log']['checkpoint']['size'], v['log']['certified']['size']" <"$work/said")" "$(remembered) $(remembered)" "heads"
before=$(remembered)
ends 0 "the policy that was written" said ctl verify "$url" --policy "$full"

# a swap, and the swap back: two entries, by the key that asked
push one counter-c
push one hello-c
ends 0 "a history that went on" verify
equal "$(remembered)" $((before + 2)) "entries that are remembered"
[ -L "$state" ] || fail "the link was replaced"
equal "$(stat -c %a "$work/elsewhere/log.state")" 640 "the file's permissions"
history >"$work/history" || fail "the history"
thumb=$(openssl pkey -pubin -in "$admin.pub" -outform DER | sha256sum | cut -d' ' -f1)
for app in counter-c hello-c; do sha256sum "$BUILD/apps/$app.wasm" | cut -d' ' -f1; done >"$work/codes"
python3 - "$work/history" "$thumb" $(cat "$work/codes") <<'PYTHON' || fail "what the history says"
import base64, hashlib, json, sys
history, admin, counter, hello = json.load(open(sys.argv[1])), *sys.argv[2:]
entries = [e["entry"] for e in history["entries"]]
assert len(entries) == history["size"] and [e["index"] for e in entries] == list(range(len(entries)))
assert entries[0]["kind"] == "begin" and not entries[0]["by"], entries[0]
pushed = [e for e in entries if e["kind"] == "generation" and e["what"].startswith("app push one")]
assert [e["sha256"] for e in pushed] == [hello, counter, hello], pushed
assert all(e["by"] == [admin] for e in pushed), pushed
# the tree over the entries' hashes, by the RFC's own words, is the one that was signed
hashes = [bytes.fromhex(e["hash"]) for e in history["entries"]]
def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while 2 * half < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()
assert root(hashes).hex() == history["root"]
assert base64.b64decode(history["checkpoint"].split("\n")[2]).hex() == history["root"]
PYTHON
ctl log "$url" --policy "$policy" >"$work/lines" || fail "the history in lines"
equal "$(grep -c 'app push one.*by '"${thumb:0:16}" "$work/lines")" 3 "pushes in: $(cat "$work/lines")"
equal "$(ctl log "$url" --policy "$policy" --from $((before + 1)) | wc -l)" 2 "the last entry, and the head"

# who follows sees each change when it comes; the file begins where the last one ended
mkfifo "$work/changes"
"$BUILD/bin/enclavectl" monitor "$url" --policy "$policy" --log-state "$state" --interval 1 --count 2 >"$work/changes" 2>"$work/why" &
monitor=$!
exec 8<"$work/changes"
await "the monitor" grep -q "entries, root" "$work/why"
push two hello-c
read -r line <&8
contains "$line" "app push two"
ctl app rm two "${to[@]}" >/dev/null
read -r line <&8
contains "$line" "app rm two"
wait $monitor || fail "the monitor's end: $(cat "$work/why")"
exec 8<&-
# what it has not said is not remembered: the next one says it
cp "$state" "$work/said.state"
push two hello-c
ctl app rm two "${to[@]}" >/dev/null
from_there() { said ctl monitor "$url" --policy "$policy" --log-state "$work/said.state" --count "$1"; }
ends 0 "one of two entries" from_there 1
ends 0 "both, since one was not said" from_there 2
contains "$(head -n 1 "$work/said")" "app push two"
contains "$(tail -n 1 "$work/said")" "app rm two"
ends 0 "what was remembered" verify
cmp -s <(head -n 6 "$state") <(head -n 6 "$work/said.state") || fail "what was said is not remembered"
"$BUILD/bin/enclavectl" monitor "$url" --policy "$policy" --from 0 --json --interval 1 >"$work/all" 2>"$work/why" &
monitor=$!
await "the whole history" lines "$work/all" $((before + 6))
kill -TERM $monitor
wait $monitor || fail "SIGTERM ends a monitor with $?"
equal "$(head -n 1 "$work/all" | json "v['entry']['kind'], v['url']")" "begin $url" "an object for each"

# a restart is an entry of its own, and the history goes on from what was seen
ends 0 "before a restart" verify
before=$(remembered)
check stop
cp -r "$work/data" "$work/old"
check start
ends 0 "after a restart" verify
equal "$(remembered)" $((before + 1)) "a start is an entry"
contains "$(ctl log "$url" --policy "$policy" --from "$before")" "  boot  "

# an old store put back, as long as nobody saw more than its start: shorter. Then it goes on, as another history
push one counter-c
ends 0 "before going back" verify
seen=$(remembered)
cp "$state" "$work/seen.state"
check stop
rm -r "$work/data"
cp -r "$work/old" "$work/data"
check start
ends 1 "an old store" verify
contains "$(cat "$work/said")" "seen before: $seen entries, root"
contains "$(cat "$work/said")" "shown now: $((before + 1)) entries, root"
contains "$(cat "$work/said")" "it has become shorter"
cmp -s "$state" "$work/seen.state" || fail "what was seen was forgotten"
equal "$(json "v['kind']" <"$state".conflict-$((before + 1))-*)" shorter "what is kept of it"
ends 1 "again" verify
for _ in 1 2 3; do push one hello-c; done
ends 1 "another history" verify
contains "$(cat "$work/said")" "its first entries are other ones"
ends 1 "nothing is sent there" said ctl app push one "$BUILD/apps/hello-c.wasm" "${to[@]}" --log-state "$state"
contains "$(cat "$work/why")" "log history"
contains "$(cat "$work/why")" "nothing was sent"
ends 1 "nor is it followed" said ctl monitor "$url" --policy "$policy" --log-state "$state"
conflict=$(ls "$state".conflict-$((before + 4))-*)
python3 "$SOURCE/tests/e2e/log_conflict.py" "$conflict" >"$work/said" || fail "what a third party finds: $(cat "$work/said")"
sed 's/"now": "enclave-os/"now": "enclave-ox/' "$conflict" >"$work/forged"
! python3 "$SOURCE/tests/e2e/log_conflict.py" "$work/forged" >/dev/null 2>&1 || fail "a third party believes anything"
# who saw the one history, and who sees the other: two sizes tell nothing without a server that has the larger one
compare() { said ctl log compare "$@"; }
ends 0 "who has seen nothing before" said ctl verify "$url" --policy "$policy" --log-state "$work/fork.state"
ends 0 "what is the same" compare "$work/fork.state" "$work/fork.state"
equal "$(cat "$work/said")" "consistent: one history, of $((before + 4)) entries so far"
ends 3 "two sizes, and nothing between them" compare "$work/seen.state" "$work/fork.state"
contains "$(cat "$work/said")" "unproven: "
contains "$(cat "$work/said")" "only a server that has the larger one can show"
ends 3 "a server that does not answer" compare "$work/seen.state" "$work/fork.state" --url https://127.0.0.1:9
contains "$(cat "$work/why")" "cannot connect"
[ ! -e "$work/seen.state".conflict-* ] || fail "evidence of what nobody knows"
ends 1 "a server that has the larger one" compare "$work/seen.state" "$work/fork.state" --url "$url" --json
equal "$(json "v['comparison']" <"$work/said")" conflict "two histories"
evidence=$(json "v['evidence']" <"$work/said")
python3 "$SOURCE/tests/e2e/log_conflict.py" "$evidence" >"$work/third" || fail "what a third party finds: $(cat "$work/third")"
[ -n "$(json "v['certificate']" <"$evidence")" ] || fail "whose key it is"
# what lies in its place and is none is left as it is, and told
cp "$evidence" "$work/evidence"
for junk in '' 'somebody wrote this' '{"format":"enclave-os-log-conflict/1"}'; do
    printf %s "$junk" >"$evidence"
    ends 1 "with a file in its place" compare "$work/seen.state" "$work/fork.state" --url "$url" --json
    [ -z "$junk" ] || contains "$(cat "$work/why")" "there is something else in it"
    equal "$(json "v.get('evidence')" <"$work/said")" "$([ -n "$junk" ] && echo None || echo "$evidence")" "said to be evidence"
    [ -z "$junk" ] || equal "$(cat "$evidence")" "$junk" "what was there"
done
mkdir "$work/python" # the same by the binding
cp -r "$SOURCE/bindings/python/enclave_verifier" "$work/python"
cp "$BUILD/lib/libenclave-verifier.so.0" "$work/python/enclave_verifier/libenclave-verifier.so"
ends 1 "with a file in its place, in Python" said env PYTHONPATH="$work/python" python3 -m enclave_verifier log compare "$work/seen.state" \
    "$work/fork.state" --url "$url" --json
contains "$(cat "$work/why")" "there is something else in it"
equal "$(json "v.get('evidence')" <"$work/said")" None "said to be evidence, in Python"
mv "$conflict" "$work/conflict" && echo junk >"$conflict"
ends 1 "with a file in the place of a conflict" verify
contains "$(cat "$work/said" "$work/why")" "there is something else in it"
equal "$(cat "$conflict")" junk "what was there"
mv "$work/conflict" "$conflict"
cp "$work/evidence" "$evidence"
ends 1 "evidence alone" compare "$evidence"
contains "$(cat "$work/said")" "conflict: the log's key has signed two histories"
ends 1 "evidence and a state" compare "$work/fork.state" "$conflict"
ends 0 "an older head of the same history" compare "$work/said.state" "$work/fork.state" --url "$url"
# a policy remembers, too; and it alone is enough
ends 0 "a policy whose head is old enough" said ctl verify "$url" --policy "$full"
python3 - "$full" "$state" "$work/newer.json" <<'PYTHON'
import base64, json, sys
policy, lines = json.load(open(sys.argv[1])), open(sys.argv[2]).read().split("\n")
policy["log"].update(size=int(lines[4]), root=base64.b64decode(lines[5]).hex())
policy["min_generation"] = 0
json.dump(policy, open(sys.argv[3], "w"))
PYTHON
ends 1 "a policy's head" said ctl verify "$url" --policy "$work/newer.json"
contains "$(cat "$work/said")" "seen before: $seen entries"

# files that are none, and of others
for damage in 'truncate -s 0' 'truncate -s 200' "sed -i s/$seen/1$seen/" 'sed -i 1d'; do
    cp "$work/seen.state" "$state"
    $damage "$state"
    ends 2 "$damage" verify
    contains "$(cat "$work/why")" "--log-state $state: it is "
done
cp "$work/seen.state" "$state"
check stop
rm -r "$work/data"
check start
push one hello-c
first_use
ends 2 "a policy for another instance" said ctl verify "$url" --policy "$policy" --log-state "$state"
contains "$(cat "$work/why")" "it is of another instance, or log, than is expected"
ends 1 "another instance" said ctl verify "$url" --allow-simulation --log-state "$state"
contains "$(cat "$work/said")" "FAIL  instance"
cmp -s "$state" "$work/seen.state" || fail "another instance's head was written"

# witnesses that the instance does not have
witness='witness.example/w1+a7e12144+BGG3op9v3HIXXDPBmFc/0CioJHhGCXc+pyvvFPlBZdYO'
json "json.dumps(dict(v, log={'witnesses': ['$witness'], 'max_age': 60}))" <"$policy" >"$work/witnessed.json"
ends 1 "witnesses" said ctl verify "$url" --policy "$work/witnessed.json"
contains "$(cat "$work/said")" "0 of 1, 1 are needed within 60 s (witness.example/w1: no cosignature)"
check stop
