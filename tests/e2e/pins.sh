#!/usr/bin/env bash
# Whose server it is, and what it runs: commands without a pin send nothing and do not even connect, a stranger's instance of the
# same image is refused, and a policy that was written from what was seen refuses as soon as anything in it has changed.
. "$(dirname "$0")/lib.sh"
check start
push hello hello-c
mrenclave=$(sed -n 's/^MRENCLAVE: *//p' "$work/server.log")
echo '{"environment":{"PASSWORD":"hunter2"},"egress":["api.example.com","*.example.org:8443"]}' >"$work/settings.json"
all=$work/all.json

# status N COMMAND...: it ends with N, and said what is in $work/said
status_of() {
    local expected=$1 got=0
    shift
    ctl "$@" >"$work/said" 2>&1 || got=$?
    equal "$got" "$expected" "status of enclavectl $* $(cat "$work/said")"
}
verdict() { # NAME STATUS OPTION...: of verify, in words and as JSON
    status_of "$2" verify "$url" "${@:3}"
    status_of "$2" verify "$url" --json "${@:3}"
    equal "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["verdict"])' "$work/said")" "$1" "verdict by ${*:3}"
}
refuses() { # CHECK OPTION...: verify refuses, by that check alone
    status_of 1 verify "$url" "${@:2}"
    equal "$(grep '^FAIL' "$work/said" | cut -c7-34 | sed 's/ *$//')" "$1" "what refuses"
}
of_policy() { python3 -c 'import json, sys; print(eval(sys.argv[2], {"p": json.load(open(sys.argv[1]))}))' "$1" "$2"; }

# without a pin: nothing is sent, and nobody is connected to
connections=$(metric connections_total)
for pins in "" "--mrenclave $mrenclave" "--mrenclave $mrenclave --app hello=$mrenclave --only-apps" "--instance $mrenclave"; do
    # shellcheck disable=SC2086 # several words
    for command in "app push evil $BUILD/apps/hello-c.wasm" "app settings hello $work/settings.json" "app settings hello" "app list" \
        "app rm hello" "egress-ca set $work/none.pem" "get /status"; do
        [ "${command%% *}" != egress-ca ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null \
            -out "$work/none.pem" -subj /CN=ca 2>/dev/null
        status_of 2 $command --url "$url" --admin-key "$admin" --allow-simulation $pins
        contains "$(cat "$work/said")" "Nothing was sent"
    done
done
equal "$(metric connections_total)" $((connections + 1)) "connections" # the counter's own
status_of 0 app list --url "$url" --admin-key "$admin" --allow-simulation --any-instance

# three verdicts
verdict genuine 3 --allow-simulation
contains "$(ctl verify "$url" --allow-simulation)" "nobody in particular"
verdict genuine 3 --allow-simulation --mrenclave "$mrenclave" --app "hello=$(sha256sum "$BUILD/apps/hello-c.wasm" | cut -d' ' -f1)"
verdict verified 0 --policy "$policy"
verdict refused 1 --policy "$policy" --mrsigner "$(printf '00%.0s' $(seq 32))"
instance=$(of_policy "$policy" 'p["instance"]')
verdict genuine 3 --allow-simulation --instance "$instance" # any program can say so of itself
verdict verified 0 --allow-simulation --instance "$instance" --mrenclave "$mrenclave"
refuses instance --allow-simulation --instance "$mrenclave" --mrenclave "$mrenclave"
status_of 2 verify "$url" --policy "$policy" --instance "$mrenclave"
contains "$(cat "$work/said")" "expects something else"
contains "$(ctl verify "$url" --policy "$policy")" " min old"

# everything is written down, and holds; an operator's commands hold by it as well
status_of 0 app settings hello "$work/settings.json" "${to[@]}"
status_of 0 policy from "$url" --policy "$policy" --only-apps --out "$all"
status_of 0 policy from "$url" --allow-simulation --out "$work/first.json"
contains "$(cat "$work/said")" "was believed as it is now"
status_of 1 policy from "$url" --mrenclave "$mrenclave" --out "$work/none.json"
contains "$(cat "$work/said")" "no policy was written"
[ ! -e "$work/none.json" ] || fail "a policy was written of a server that was refused"
verdict verified 0 --policy "$all"
status_of 0 app list --url "$url" --admin-key "$admin" --policy "$all"
settings=$(of_policy "$all" 'p["apps"][0]["settings"]')
equal "$(of_policy "$all" 'p["apps"][0]["egress"]')" "['*.example.org:8443', 'api.example.com:443']" "egress"
mine=(--policy "$policy" --app "hello=$(of_policy "$all" 'p["apps"][0]["sha256"]')")
verdict verified 0 "${mine[@]}" --app-settings "hello=$settings" --egress 'hello=API.example.com,*.example.org:8443' --only-apps
refuses "app settings" "${mine[@]}" --app-settings hello=none
refuses "app settings" "${mine[@]}" --app-settings "hello=$mrenclave"
refuses "app egress" "${mine[@]}" --egress hello=api.example.com
refuses "app egress" "${mine[@]}" --egress hello=
refuses app "${mine[@]}" --app "other=$mrenclave"
refuses "only apps" --policy "$policy" --only-apps

# each change shows
echo '{"environment":{"PASSWORD":"another"},"egress":["api.example.com","*.example.org:8443"]}' >"$work/other.json"
status_of 0 app settings hello "$work/other.json" "${to[@]}"
refuses "app settings" --policy "$all"
! ctl app settings hello "$work/settings.json" --url "$url" --admin-key "$admin" --policy "$all" 2>"$work/why" ||
    fail "settings went to an app that is not as expected"
contains "$(cat "$work/why")" "nothing was sent"
status_of 0 app settings hello "$work/settings.json" "${to[@]}" # with a new salt: it is not taken for the same
refuses "app settings" --policy "$all"
rm "$all"
status_of 0 policy from "$url" --policy "$policy" --only-apps --out "$all"
push second hello-c
refuses "only apps" --policy "$all"
status_of 0 app rm second "${to[@]}"
verdict verified 0 --policy "$all"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -out "$work/bundle.pem" -subj /CN=ca 2>/dev/null
status_of 0 egress-ca set "$work/bundle.pem" "${to[@]}"
refuses "egress ca" --policy "$all"
status_of 0 egress-ca rm "${to[@]}"
push hello echo
refuses app --policy "$all"
push hello hello-c # back again: as before, and two numbers later
verdict verified 0 --policy "$all"
later=$(of_policy <(ctl policy from "$url" --policy "$policy") 'p["min_generation"]')
[ "$later" -gt "$(of_policy "$all" 'p["min_generation"]')" ] || fail "the number does not rise: $later"
sed "s/\"min_generation\": [0-9]*/\"min_generation\": $((later + 1))/" "$all" >"$work/newer.json"
refuses generation --policy "$work/newer.json"

# the same code under the same name is another app if the first one was removed: it does not have its data
status_of 0 app rm hello "${to[@]}"
push hello hello-c
status_of 0 app settings hello "$work/settings.json" "${to[@]}"
status_of 1 verify "$url" --policy "$all"
contains "$(cat "$work/said")" "FAIL  app identity"

# a restart is the same instance; another one, of the same image and the same administrator, is not
check stop
check start
verdict verified 0 --policy "$policy"
check stop
cp "$policy" "$work/before.json"
check start --data "$work/stranger"
push hello hello-c # by what is seen of this one
requests=$(metric frames_total)
for known in "$work/before.json" "$all"; do
    status_of 1 app settings hello "$work/settings.json" --url "$url" --admin-key "$admin" --policy "$known"
    contains "$(cat "$work/said")" "instance: "
    contains "$(cat "$work/said")" "nothing was sent"
done
[ "$(metric frames_total)" -le $((requests + 4)) ] || fail "the stranger was sent more than questions for its manifest, and for the log that a policy remembers"
status_of 1 verify "$url" --policy "$work/before.json"
contains "$(cat "$work/said")" "NOT verified"
check stop
