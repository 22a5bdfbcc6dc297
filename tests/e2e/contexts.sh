#!/usr/bin/env bash
# Contexts: what is written down once need not be typed again; what the arguments say comes first; nothing is sent to a server
# that nobody meant.
. "$(dirname "$0")/lib.sh"
config=$XDG_CONFIG_HOME/enclavectl
check start
push hello hello-c
plain() { "$BUILD/bin/enclavectl" "$@" >"$work/out" 2>"$work/why"; } # none of lib.sh's options
said() { contains "$(cat "$work/out")" "$1"; }
why() { contains "$(cat "$work/why")" "$1"; }
refused() { # PART COMMAND...
    local part=$1
    shift
    ! plain "$@" || fail "accepted: $*"
    equal "$(wc -l <"$work/why")" 1 "lines for: $*"
    why "$part"
}

# none yet
refused "--url is missing" app list
check plain context ls
equal "$(cat "$work/out")" ""
refused "there is no context 'work'" context use work
refused "there is no context 'work'" app list --context work

# added from another folder than it is used in, with files by relative names
cd "$work"
check plain context add work --url "$url" --admin-key admin.key --policy policy.json
cd /
equal "$(stat -c %a "$config/contexts/work.json" "$config/contexts" | sort -u | tr '\n' ' ')" "600 700 "
! grep -q PRIVATE "$config/contexts/work.json" || fail "a key is in it"
check plain context show work
equal "$(LC_ALL=C sort "$work/out")" "$(printf '%s\n' "--admin-key=$work/admin.key" "--policy=$work/policy.json" "--url=$url")"
refused "there is a context 'work' already" context add work --url "$url"
refused "--url is missing" app list # it is not in use yet

# named, and in use, by every kind of command
check plain app list --context work
said hello
check plain --help
check plain context use work
check plain context ls
equal "$(cat "$work/out")" "$(printf '* work\t%s' "$url")"
check plain context ls --json
equal "$(python3 -c 'import json,sys; c, = json.load(sys.stdin); print(c["name"], c["in_use"], c["url"])' <"$work/out")" "work True $url"
for command in "app list" "admin ls" "get /status" verify "verify --json" log "monitor --from 0 --count 1" "witness ls" "issuer show"; do
    check plain $command
done
check plain policy from --who
check plain ca --out "$work/saved.pem"
check openssl x509 -in "$work/saved.pem" -noout
check plain app push again "$BUILD/apps/hello-c.wasm"
check plain app rm again

# what the arguments say comes first; what they leave open comes from the context
refused "--admin-key" get /status --admin-key "$work/nobody.key"
why nobody.key
refused "each says which server it is" verify "$url" --context work
refused "each says which server it is" app list --url "$url" --context=work
refused "--admin-key is missing" app list --url "$url" # another server's: nothing of the context is taken
refused "--context is given twice" verify --context work --context work
refused "--context needs a value" verify --context
refused "can be no context's name" verify --context ../work
refused "unknown option --context" keygen "$work/k" --context work

# of a shell
check env ENCLAVECTL_CONTEXT=none "$BUILD/bin/enclavectl" context ls
! ENCLAVECTL_CONTEXT=none plain app list || fail "a context was used though the shell wants none"
why "--url is missing"
! ENCLAVECTL_CONTEXT=other plain app list || fail "it took another context than the shell's"
why "there is no context 'other'"
! ENCLAVECTL_CONTEXT=../work plain app list || fail "a name with a path"
why ENCLAVECTL_CONTEXT

# whoever answers there now is judged as ever: a context's pins are the same options
sed "s/\"instance\": \"../\"instance\": \"$(printf '%02x' $((RANDOM % 256)))/" "$work/policy.json" >"$work/other.json"
check plain context add other --url "$url" --admin-key "$work/admin.key" --mrenclave "$(printf '%064d' 7)"
! plain verify --context other || fail "another program passed for the context's"
! plain app list --context other || fail "it asked another program"

# files that somebody has damaged
for text in '' '{' '[]' '{"format":"enclavectl-context/1","options":[7]}' '{"format":"enclavectl-context/1","options":["--url=http://a"]}' \
    '{"format":"enclavectl-context/2","options":[]}' '{"format":"enclavectl-context/1","options":["x"]}'; do
    printf '%s' "$text" >"$config/contexts/other.json"
    refused "contexts/other.json" verify --context other
done
plain context ls && fail "one that cannot be read was not told" || true
said "work"
why other.json
check plain context rm other
printf '../../x\n' >"$config/current"
refused "can be no context's name" app list
check plain context use work

# removed: not in use any longer
check plain context rm work
refused "--url is missing" app list
refused "there is no context 'work'" context rm work
[ -z "$(ls "$config/contexts")" ] || fail "files are left: $(ls "$config/contexts")"
stop
