#!/usr/bin/env bash
# Which other enclaves may have the data: what a first boot fixes, what changes it and what never does, and what clients see.
. "$(dirname "$0")/lib.sh"
for name in b deploy publisher; do ctl keygen "$work/$name" >/dev/null; done
A=$(printf 'a%.0s' $(seq 64)) B=$(printf 'b%.0s' $(seq 64))
trust=(--url "$url" --policy "$policy")
by() { local key=$1; shift; ctl "$@" "${trust[@]}" --admin-key "$key"; }
refused() { # WHAT PART COMMAND...: it fails, and says so
    local what=$1 part=$2 said
    shift 2
    said=$("$@" 2>&1) && fail "$what: not refused"
    contains "$said" "$part"
}
rule() { echo "$1" >"$work/rule.json"; echo "$work/rule.json"; }
leaf() { # LABEL: its value as text
    get /_enclave/manifest | python3 -c 'import json,sys
print(*(bytes.fromhex(l["value"]).decode() for l in json.load(sys.stdin)["leaves"] if l["label"] == sys.argv[1]))' "$1"
}
measured='{"measurements":[],"rule":"measurements"}'

# A first boot that is told nothing lets administrators name images, and names none.
check start
equal "$(leaf upgrade-rule)" "$measured"
equal "$(leaf lineage)" ""
contains "$(by "$admin" upgrade-rule show)" "measurements: 0 may have the data"

# A change, by whom it takes, is a generation and an entry.
check by "$admin" admin add "$work/deploy.pub" --role deploy >/dev/null
refused "deploy" "takes the role admin" by "$work/deploy" upgrade-rule set "$(rule "$measured")"
check by "$work/deploy" upgrade-rule show >/dev/null
check by "$admin" upgrade-rule set "$(rule "{\"rule\":\"measurements\",\"measurements\":[\"$B\",\"$A\"]}")" >/dev/null
equal "$(leaf upgrade-rule)" "{\"measurements\":[\"$A\",\"$B\"],\"rule\":\"measurements\"}"
contains "$(by "$admin" upgrade-rule show)" "$B"
contains "$(ctl log "$url" --policy "$policy")" "upgrade-rule"
refused "no rule" "64 hex digits" by "$admin" upgrade-rule set "$(rule '{"rule":"measurements","measurements":["aa"]}')"
refused "a rule with more" "does not belong" by "$admin" upgrade-rule set "$(rule '{"rule":"none","svn":1}')"
refused "of another rule" "has changed since" \
    by "$admin" upgrade-rule set "$(rule "{\"rule\":\"measurements\",\"measurements\":[],\"replaces\":\"$A\"}")"

# Two together.
check by "$admin" admin add "$work/b.pub" --role admin >/dev/null
check by "$admin" admin threshold 2 >/dev/null
signer="{\"rule\":\"signer\",\"mrsigner\":\"$A\",\"product\":1,\"svn\":2,\"publishers\":true}"
refused "one alone" "takes the tokens of 2 admins together" by "$admin" upgrade-rule set "$(rule "$signer")"
by "$admin" upgrade-rule set "$(rule "$signer")" --propose "$work/proposal" >/dev/null
ctl admin approve "$work/proposal" --admin-key "$work/b" --out "$work/approval" >/dev/null
contains "$(by "$admin" upgrade-rule set "$(rule "$signer")" --approval "$work/approval")" "from SVN 2 on"
contains "$(by "$admin" upgrade-rule show)" "publishers of its apps have to agree"
agreed() { # FILE.json
    by "$admin" upgrade-rule set "$1" --propose "$work/proposal" >/dev/null
    ctl admin approve "$work/proposal" --admin-key "$work/b" --out "$work/approval" >/dev/null
    by "$admin" upgrade-rule set "$1" --approval "$work/approval"
}
refused "without publishers" "is not taken back" agreed "$(rule "${signer/,\"publishers\":true/}")"

# What clients expect.
check ctl policy from "$url" --out "$work/seen.json" --allow-simulation 2>/dev/null
contains "$(cat "$work/seen.json")" '"upgrade_rule": {"mrsigner":"'
check ctl verify "$url" --policy "$work/seen.json" >/dev/null
more=${signer/\"svn\":2/\"svn\":3}
check agreed "$(rule "$more")" >/dev/null
sed 's/"min_generation": [0-9]*/"min_generation": 1/' "$work/seen.json" >"$work/before.json"
refused "another rule" "upgrade rule" ctl verify "$url" --policy "$work/before.json"
refused "another measurement" "mrenclave" ctl verify "$url" --mrenclave "$A" --allow-simulation

# It stays, and a boot that is told another is refused.
stop
check start --upgrade-rule signer
equal "$(leaf upgrade-rule)" "{\"mrsigner\":\"$A\",\"product\":1,\"publishers\":true,\"rule\":\"signer\",\"svn\":3}"
stop
start --upgrade-rule measurements && fail "another rule at a later boot"
contains "$(cat "$work/server.log")" "upgrade rule: measurements is given now"
check start
check agreed "$(rule '{"rule":"none"}')" >/dev/null
refused "after none" "nothing changes that" agreed "$(rule "$more")"
stop

# What first boots are told.
check start --data "$work/none" --upgrade-rule none
equal "$(leaf upgrade-rule)" '{"rule":"none"}'
stop
check start --data "$work/signer" --upgrade-rule signer
first=$(leaf upgrade-rule)
contains "$first" '"rule":"signer"'
contains "$first" "\"mrsigner\":\"$(ctl verify "$url" --allow-simulation --json | python3 -c '
import json, sys; print(json.load(sys.stdin)["mrsigner"])')\""
stop

# What a publisher signs.
ctl upgrade-rule agree --key "$work/publisher" --instance "$A" --measurement "$B" --out "$work/agreed"
equal "$(python3 - "$work/agreed" <<'END'
import base64, json, sys
head, claims, _ = open(sys.argv[1]).read().split(".")
parts = [json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in (head, claims)]
print(parts[0]["typ"], parts[1]["format"], parts[1]["instance"][:2], parts[1]["measurement"][:2], len(parts[1]))
END
)" "enclave-os-upgrade enclave-os-upgrade/1 aa bb 3"
