#!/usr/bin/env bash
# An app's own names: who asks for one (SNI) is shown a certificate of that name, with a key and a quote of its own, and reaches that
# app alone, at "/"; everybody else is shown the server's as before. Names are unique, attested, and judged when they are given;
# a connection keeps what its handshake showed.
. "$(dirname "$0")/lib.sh"
HOST=$BUILD/bin/lying_quotes
export LIE=$work/lie
ca=$work/ca.pem

shown() { # NAME FIELD...: of the certificate that who asks for it is shown
    openssl s_client -connect "127.0.0.1:$port" -servername "$1" </dev/null 2>/dev/null | openssl x509 "${@:2}"
}
subject() { shown "$1" -noout -subject -nameopt RFC2253 | sed 's/^subject=//'; }
servers="CN=Enclave OS,O=Enclave OS"
# at NAME PATH curl's...: as browsers do, the certificate judged for the name, by the CA
at() {
    curl -s --no-progress-meter --max-time "$hang" --cacert "$ca" --resolve "$1:$port:127.0.0.1" "https://$1:$port$2" "${@:3}"
}
at_status() { at "$@" -o /dev/null -w '%{http_code}'; }
settings() { # APP JSON
    echo "$2" >"$work/settings.json"
    ctl app settings "$1" "$work/settings.json" "${to[@]}"
}
refused() { # APP JSON TEXT
    ! settings "$1" "$2" >"$work/why" 2>&1 || fail "accepted: $2"
    contains "$(cat "$work/why")" "$3"
}

check start --workers 2 --san box.example.com
push shop echo
push other hello-c
push environment environment
ctl ca "https://localhost:$port" --out "$ca" --allow-simulation --any-instance >/dev/null || fail "no CA"
equal "$(subject shop.example.com)" "$servers" "a name that nobody has"
before=$(metric certificates_made_total)
settings shop '{"hostnames": ["Shop.example.com", "shop.example.org"]}' >/dev/null
equal "$(metric certificates_made_total)" $((before + 3)) "the server's, and one for each name"

contains "$(ctl app list "${to[@]}" | grep '^shop ')" "  at shop.example.com, shop.example.org"
equal "$(ctl app list "${to[@]}" | grep -c '  at ')" 1 "apps with names"
ctl get /status "${to[@]}" | python3 -c '
import json, sys
names = {one["name"]: one["details"].get("hostnames") for one in json.load(sys.stdin)}
assert names == {"_enclave": None, "environment": [], "other": [], "shop": ["shop.example.com", "shop.example.org"]}, names' ||
    fail "/status"

# ---- what is shown --------------------------------------------------------------------------------------------------------
equal "$(subject shop.example.com)" "CN=shop.example.com,O=Enclave OS"
equal "$(subject SHOP.EXAMPLE.ORG)" "CN=shop.example.org,O=Enclave OS"
for name in localhost box.example.com example.com a.shop.example.com; do equal "$(subject $name)" "$servers" "$name"; done
contains "$(shown shop.example.com -noout -ext subjectAltName)" "DNS:shop.example.com"
[ "$(shown shop.example.com -noout -pubkey)" != "$(shown shop.example.org -noout -pubkey)" ] || fail "two names have one key"
[ "$(shown shop.example.com -noout -pubkey)" != "$(shown localhost -noout -pubkey)" ] || fail "a name has the server's key"
ctl get /_enclave/manifest "${to[@]}" >"$work/manifest"
for name in shop.example.com localhost; do shown $name -outform DER >"$work/$name.der"; done
python3 - "$work" <<'P' || fail "what the certificates say"
import hashlib, json, sys
work = sys.argv[1]
manifest = json.load(open(work + "/manifest"))
leaves = {leaf["label"]: bytes.fromhex(leaf["value"]) for leaf in manifest["leaves"]}
def encoded(*arcs):
    out = b""
    for arc in arcs:
        part = bytes([arc & 127])
        while arc := arc >> 7:
            part = bytes([arc & 127 | 128]) + part
        out += part
    return b"\x06" + bytes([len(out) + 1]) + b"\x2b" + out
def value(der, *of):  # an extension of ours
    found = der.split(encoded(6, 1, 4, 1, 65230, *of))
    assert len(found) <= 2, of
    if len(found) == 1: return None
    assert found[1][0] == 4 and found[1][1] < 128
    return found[1][2:2 + found[1][1]]
def tree(hashes):  # RFC 9162, section 2.1
    if len(hashes) == 1: return hashes[0]
    k = 1
    while 2 * k < len(hashes): k *= 2
    return hashlib.sha256(b"\1" + tree(hashes[:k]) + tree(hashes[k:])).digest()
own, server = (open(f"{work}/{name}.der", "rb").read() for name in ("shop.example.com", "localhost"))
of_app = [b"\0" + label.encode() + b"\0" + leaves[label] for label in leaves if label.partition(":")[2] == "shop"]
assert list(leaves)[-1] == "hostnames:shop" and leaves["hostnames:shop"] == b"shop.example.com,shop.example.org"
assert value(own, 3, 1) == tree([hashlib.sha256(leaf).digest() for leaf in of_app]), "3.1"
assert value(own, 3, 2) == leaves["app:shop"], "3.2"
assert value(own, 3, 4) == b"generated", "3.4"
assert value(own, 3, 5) == leaves["settings:shop"], "3.5"
assert value(own, 3, 6).hex() == leaves["rule:shop"].decode().split("\n")[0].removeprefix("id="), "3.6"
assert value(own, 1, 1) == value(server, 1, 1) == bytes.fromhex(manifest["merkle_root"]), "1.1"
for of in ((4, 1), (4, 2), (4, 3), (4, 4)): assert value(own, *of) == value(server, *of) != None, of
for of in ((2, 4), (2, 5)): assert value(own, *of) is None and value(server, *of), of
for of in ((3, 1), (3, 2), (3, 6)): assert value(server, *of) is None, of
P
made=$(metric certificates_made_total)
for _ in 1 2 3; do subject shop.example.com >/dev/null; done
equal "$(metric certificates_made_total)" "$made" "made by a handshake"

# ---- what answers -----------------------------------------------------------------------------------------------------------
equal "$(at shop.example.com / -d "at the root")" "at the root"
equal "$(at shop.example.org /healthz -d "the app's own")" "the app's own"
equal "$(get /shop/ -d "by its path")" "by its path"
equal "$(at shop.example.com /other/ -d mine)" mine "what a path that is another app's elsewhere leads to"
for path in /_enclave/apps /_enclave/administrators /_enclave/ /__privasys/; do equal "$(at_status shop.example.com $path)" 404 $path; done
equal "$(at shop.example.com /_enclave/manifest)" "$(cat "$work/manifest")"
equal "$(at_status shop.example.com /_enclave/proof/hostnames:shop)" 200
equal "$(at_status shop.example.com /_enclave/log/checkpoint)" 200
for host in other.example.com shop.example.org localhost ""; do
    equal "$(at_status shop.example.com / -H "Host: $host")" 421 "Host '$host'"
done
equal "$(at_status shop.example.com / -H "Host: SHOP.example.com")" 200
equal "$(status / -H "Host: shop.example.com")" 404 "whose handshake was the server's"
settings environment '{"hostnames": ["environment.example.com"]}' >/dev/null
at environment.example.com /a/b?c >"$work/said"
for line in SCRIPT_NAME= PATH_INFO=/a/b "SERVER_NAME=environment.example.com" "SERVER_PORT=$port"; do
    grep -qx "$line" "$work/said" || fail "$line is not in: $(cat "$work/said")"
done

# ---- evidence behind the handshake is over the key that was shown ----------------------------------------------------------
leaf_of() { shown "$1" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | basenc --base64url | tr -d '='; }
attest() { at_status shop.example.com /__privasys/attest --data-binary "{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"$(leaf_of "$1")\"}"; }
equal "$(attest shop.example.com)" 200
equal "$(attest localhost)" 409

# ---- the policy of the server holds for its apps' names --------------------------------------------------------------------
if unshare --mount true 2>/dev/null; then
    sed '/[[:space:]]shop\.example\.com/d' /etc/hosts >"$work/hosts"
    echo "127.0.0.1 shop.example.com" >>"$work/hosts"
    verified() { mount --bind "$work/hosts" /etc/hosts && ctl verify "https://shop.example.com:$port" --policy "$policy" "$@"; }
    export -f verified ctl first_use
    export work port policy url BUILD
    trusted="--root $work/sim/quote-simulation/root.pem"
    rm -f "$policy"
    first_use
    unshare --mount bash -c "verified $trusted --fresh" >"$work/verdict" || fail "not verified: $(cat "$work/verdict")"
    contains "$(cat "$work/verdict")" "ok    fresh evidence"
    ! unshare --mount bash -c "verified $trusted --app other=$(printf '0%.0s' $(seq 64))" >"$work/verdict" || fail "verified, whatever its apps are"
else
    echo "no namespaces can be made here: the names were not verified by enclavectl"
fi

# ---- peers: asked only where the app whose name it is wants to know ----------------------------------------------------------
asks() { openssl s_client -connect "127.0.0.1:$port" -servername "$1" -msg </dev/null 2>/dev/null | grep -c CertificateRequest || true; }
settings environment '{"hostnames": ["environment.example.com"], "peers": "request"}' >/dev/null
equal "$(asks localhost) $(asks environment.example.com) $(asks shop.example.com)" "1 1 0"

# ---- whose they are -----------------------------------------------------------------------------------------------------------
refused other '{"hostnames": ["other.example.com", "SHOP.example.com"]}' 'hostnames: "shop.example.com" is already a name of the app shop'
refused other '{"hostnames": ["box.example.com"]}' "hostnames: \"box.example.com\" is the server's own (serve --san)"
refused other '{"hostnames": ["*.example.com"]}' 'hostnames: number 1, "*.example.com": a wildcard'
names() { # APP COUNT
    python3 -c 'import json, sys; print(json.dumps({"hostnames": ["n%d.%s.example" % (i, sys.argv[1]) for i in range(int(sys.argv[2]))]}))' "$@"
}
refused other "$(names other 9)" "hostnames: more than 8: 9"
echo refuse >"$LIE"
refused other '{"hostnames": ["other.example.com"]}' "nothing was changed"
rm "$LIE"
equal "$(subject other.example.com)" "$servers" "a name whose certificate could not be had"

# ---- a connection keeps what it was shown ----------------------------------------------------------------------------------
(SNI=shop.example.com talk send 'GET /client HTTP/1.1\r\nHost: shop.example.com\r\n\r\n' until nobody touch "$work/first" await "$work/moved" \
    send 'POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n\r\nstill' until still eof >"$work/talk") &
talking=$!
await "the first answer" test -e "$work/first"
settings shop '{}' >"$work/changed" &
changing=$!
moved() { [ "$(subject shop.example.com)" = "$servers" ]; }
await "the name's end" moved
touch "$work/moved"
wait $talking || fail "the old connection: $(cat "$work/talk")"
contains "$(cat "$work/talk")" "still"
grep -qi "^connection: close" "$work/talk" || fail "it was not told to connect anew"
wait $changing
settings other '{"hostnames": ["shop.example.com"]}' >/dev/null # it is free now
contains "$(at shop.example.com /)" "inside the enclave"

# ---- over a restart, and to the end ------------------------------------------------------------------------------------------
check stop
check start --workers 2 --san box.example.com
contains "$(at shop.example.com /)" "inside the enclave"
ctl app rm other "${to[@]}" >/dev/null
equal "$(subject shop.example.com)" "$servers" "of an app that is gone"

# ---- docs/operate.md, "An app under its own name", word for word --------------------------------------------------------------
. "$(dirname "$0")/page_lib.sh"
export PATH=$BUILD/bin:$PATH
cd "$work"
here() { sed "s|localhost:8443|localhost:$port|; s|:8443|:$port|g; s|curl|& -s|"; }
rm -f "$policy"
first_use
begin "An app under its own name" here
step echo
step "enclavectl app settings"
step "enclavectl ca"
step "curl -s"
equal "$said" "" "an empty body, sent back"
next_begins "enclavectl verify"
if [ -s "$work/hosts" ]; then
    unshare --mount bash -c "mount --bind $work/hosts /etc/hosts && $command" >"$work/verdict" || fail "$command: $(cat "$work/verdict")"
fi
finished
equal "$(subject shop.example.com)" "CN=shop.example.com,O=Enclave OS"
check stop
