#!/usr/bin/env bash
# Evidence behind the handshake (docs/protocol.md): a client's challenge is answered for its very connection, as often as
# it asks; what is relayed, replayed or asked wrongly is refused, and one client's questions do not crowd out others'.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_quotes
export LIE=$work/lie

start --workers 2
root=$work/sim/quote-simulation/root.pem
trusted=(--policy "$policy" --root "$root")
first_use
ctl verify "$url" "${trusted[@]}" --fresh >"$work/verdict" || fail "it is not verified: $(cat "$work/verdict")"
contains "$(cat "$work/verdict")" "ok    fresh evidence               a quote over this key, this challenge and this connection"
contains "$(ctl verify "$url" "${trusted[@]}")" "--    fresh evidence"

# ---- what somebody in between would make of it ------------------------------------------------------------------------
judged() { "$BUILD/bin/evidence_client" "127.0.0.1:$port" "$root" "$1"; }
equal "$(judged good)" "passed: a quote over this key, this challenge and this connection
genuine"
for how in relayed replayed other; do
    equal "$(judged $how)" "failed: report data: it is not over this key, this challenge and this connection
refused" $how
done
equal "$(judged none)" "not checked: none was asked for behind the handshake
refused"

# ---- the bytes, by another's hand -------------------------------------------------------------------------------------
leaf=$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -pubkey |
    openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | basenc --base64url | tr -d '=')
question() { printf '{"v":2,"mode":"%s","leaf":"%s"%s}' "$1" "$leaf" "${2:-}"; }
attest() { get /__privasys/attest "${@:2}" --data-binary "$1"; }
attest "$(question deterministic)" >"$work/answer"
python3 - "$work/answer" "$leaf" <<'PYTHON' || fail "the answer: $(cat "$work/answer")"
import base64, hashlib, json, sys
answer = json.load(open(sys.argv[1]))
decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
quote = decode(answer["quote"])
assert answer["v"] == 2 and answer["mode"] == "deterministic" and answer["tee"] == "sgx" and answer["gpu_evidence"] is None
assert "=" not in answer["quote"] and len(answer["quote_time"]) == 17
assert quote[368:432] == hashlib.sha512(decode(sys.argv[2]) + answer["quote_time"].encode()).digest()
PYTHON

# ---- our own form: what answers there is in the quote, too --------------------------------------------------------------
asked() { judged "$1" >"$work/claims"; head -n 1 "$work/claims"; }
equal "$(asked claims)" bound
get /_enclave/manifest >"$work/manifest"
get /_enclave/log/checkpoint >"$work/checkpoint"
until=$(openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -enddate | cut -d= -f2)
python3 - "$work/claims" "$work/manifest" "$work/checkpoint" "$(date -u -d "$until" +%Y-%m-%dT%H:%M:%SZ)" <<'PYTHON' || fail "$(cat "$work/claims")"
import base64, json, re, sys
text = open(sys.argv[1]).read().splitlines()[1]
claims, manifest, checkpoint = json.loads(text), json.load(open(sys.argv[2])), open(sys.argv[3]).read().splitlines()
assert text == json.dumps(claims, sort_keys=True, separators=(",", ":"))
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", claims.pop("time"))
assert claims == {"generation": manifest["generation"], "instance": manifest["instance"],
                  "merkle_root": manifest["merkle_root"], "not_after": sys.argv[4],
                  "log": {"size": int(checkpoint[1]), "root": base64.b64decode(checkpoint[2]).hex()}}
PYTHON
equal "$(asked claims-relayed)" "not bound"
equal "$(asked claims-changed)" "not bound"
ours() { printf '{"v":1,"mode":"deterministic","leaf":"%s"}' "$leaf"; }
get /_enclave/evidence --data-binary "$(ours)" >"$work/answer"
python3 - "$work/answer" "$leaf" <<'PYTHON' || fail "the answer: $(cat "$work/answer")"
import base64, hashlib, json, sys
answer = json.load(open(sys.argv[1]))
decode = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
assert sorted(answer) == ["claims", "format", "mode", "quote", "tee"]
assert answer["format"] == "enclave-os-evidence/1" and answer["mode"] == "deterministic" and answer["tee"] == "sgx"
claims = hashlib.sha256(answer["claims"].encode()).digest()
assert decode(answer["quote"])[368:432] == hashlib.sha512(decode(sys.argv[2]) + claims).digest()
PYTHON
equal "$(status /_enclave/evidence)" 405
equal "$(status /_enclave/evidence --data-binary "$(question deterministic)")" 400 "another form's version"
equal "$(status /__privasys/attest --data-binary "$(ours)")" 400 "the same"

# ---- asked wrongly: the member is named -------------------------------------------------------------------------------
refused() { # STATUS WHAT curl's...
    equal "$(get /__privasys/attest -o "$work/why" -w '%{http_code}' "${@:3}")" "$1" "$2"
    contains "$(cat "$work/why")" "$2"
}
refused 400 'context: ' --data-binary "$(question challenge)"
refused 400 'nonce: there is no such member' --data-binary "$(question deterministic ',"nonce":1')"
refused 400 'no JSON object' --data-binary 'x'
refused 400 'no JSON object' -X POST
refused 409 'leaf: ' --data-binary "{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"$(printf 'A%.0s' {1..43})\"}"
refused 413 'no question for evidence is so long' --data-binary "$(printf 'x%.0s' {1..1100})"
equal "$(status /__privasys/attest)" 405

# ---- many at once: two for an address, and others are served meanwhile --------------------------------------------------
echo hold >"$LIE"
for client in 1 2; do
    (attest "$(question deterministic)" >"$work/held$client") &
    waiting[client]=$!
done
await "the first question" test -e "$LIE.held"
crowded() { [ "$(status /__privasys/attest --data-binary "$(question deterministic)")" = 503 ]; }
await "the second" crowded
equal "$(status /_enclave/evidence --data-binary "$(ours)")" 503 "places for both forms together"
equal "$(status /healthz)" 200
(attest "$(question deterministic)" --interface 127.0.0.2 >"$work/held3") & # another address
waiting[3]=$!
rm "$LIE"
for client in 1 2 3; do
    wait "${waiting[client]}"
    contains "$(cat "$work/held$client")" '"quote"'
done
# those who never end their questions hold nobody up
cat >"$work/slow.py" <<'PYTHON'
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
head = b"POST /__privasys/attest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{"
held = []
for _ in range(300):
    held.append(context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])))))
    held[-1].sendall(head)
print("held", flush=True)
sys.stdin.read()
PYTHON
mkfifo "$work/until"
python3 "$work/slow.py" "$port" <"$work/until" >"$work/slow" &
exec 7>"$work/until"
await "300 questions without an end" grep -q held "$work/slow"
contains "$(attest "$(question deterministic)")" '"quote"'
check ctl verify "$url" "${trusted[@]}" --fresh >/dev/null
exec 7>&-
# the host refuses: said so, and it can be asked again
echo refuse >"$LIE"
refused 503 'the host has made no quote' --data-binary "$(question deterministic)"
rm "$LIE"
contains "$(attest "$(question deterministic)")" '"quote"'
# who asked and went leaves nothing behind
echo hold >"$LIE"
rm -f "$LIE.held"
attest "$(question deterministic)" --max-time 1 >/dev/null || true
await "the question of who went" test -e "$LIE.held"
rm "$LIE"
contains "$(attest "$(question deterministic)")" '"quote"'
# and a quoting enclave that hangs over what a stranger asked keeps no server from ending
echo hold >"$LIE"
rm -f "$LIE.held"
attest "$(question deterministic)" --max-time 1 >/dev/null || true
await "a question that nobody answers" test -e "$LIE.held"
kill -TERM "$server"
wait "$server" || fail "it ended with $?"
server=
