"""Every request that approvals exist for, and every part of it exchanged behind them: approvals.py PORT SPKI_SHA256 FOLDER KEY KEY
WASM PUBLISHER_SPKI SOURCE.

Of each, the tokens of two admins are over one request, and all but one part of what is sent is that request: it must be refused as
one for which there are no tokens, and change nothing. Sent as it is, with the very same tokens, it is then taken: it was that part
which was wrong with the others.
"""
import hashlib, http.client, json, os, re, ssl, subprocess, sys

port, spki, folder, first, second, wasm, publisher, source = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
context = ssl._create_unverified_context()


def read(name):
    return open(name if name.startswith("/") else f"{folder}/{name}", "rb").read()


def named(publication):
    return "publication=" + hashlib.sha256(publication.encode()).hexdigest()


def token(key, method, path, body):
    with open(f"{folder}/body", "wb") as out:
        out.write(body)
    return subprocess.run([sys.executable, f"{here}/admin_token.py", key, spki, f"method={method}", f"path={path}", "scope=",
                           f"body={folder}/body"], capture_output=True, text=True, check=True).stdout.strip()


def send(method, path, body, headers):
    connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    try:
        connection.send(body)
    except OSError:
        pass  # refused by its head
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def generation():
    return json.loads(send("GET", "/_enclave/manifest", b"", [])[1])["generation"]


meant, worse = read("table-meant").decode().strip(), read("table-worse").decode().strip()
code, other = read(wasm), read(wasm) + b"\0\6\5other"
ca, evil = read("ca.pem"), read("evil.pem")
acme = b'{"directory":"https://ca.example/dir","terms_agreed":true}'
issuer, another_issuer = (json.dumps({"certificate": read(f"{name}.pem").decode(), "key": read(f"{name}.key").decode()}).encode()
                          for name in ("issuer", "another"))
stranger = json.dumps(read("stranger.key.pub").decode())
me, them = (json.dumps(read(f"{key}.pub").decode()) for key in (first, second))
admins = '{"threshold":%d,"administrators":[{"role":"admin","public_key":%s},{"role":"admin","public_key":%s}]}'
of_publisher = f"/_enclave/apps/table?rule=publisher&key={publisher}"

# WHAT: method, path, body, publication; and the exchanges: each of these with some of them in another's place. What a change is
# made of, and how it is made (now, exclusive), are parts of the path.
requests = {
    "push of a publisher's app": (
        ("PUT", f"{of_publisher}&{named(meant)}", code, meant), [
            dict(publication=worse), dict(publication=None), dict(publication=meant + " "), dict(publication=""),
            dict(publication=meant[:-2] + ("AA" if meant[-2:] != "AA" else "Qg")),  # one in 256 ends so
            dict(publication=worse, path=f"{of_publisher}&{named(worse)}"),
            dict(publication=worse, path=f"{of_publisher}&{named(meant)}&{named(worse)}"),
            dict(publication=worse, path=f"{of_publisher}&{named(worse)}&{named(meant)}"),
            dict(path=of_publisher), dict(path=of_publisher, publication=None),
            dict(path=f"/_enclave/apps/table?rule=frozen&{named(meant)}"),
            dict(path=f"/_enclave/apps/other?rule=publisher&key={publisher}&{named(meant)}"), dict(body=other)]),
    "removal of a publisher's app": (("DELETE", "/_enclave/apps/table", b"", None), [dict(path="/_enclave/apps/vault")]),
    "push of a frozen app": (
        ("PUT", "/_enclave/apps/ice?rule=frozen", code, None), [
            dict(path="/_enclave/apps/ice?rule=operator"), dict(path="/_enclave/apps/ice"), dict(body=other),
            dict(path="/_enclave/apps/icy?rule=frozen")]),
    "removal of a frozen app": (("DELETE", "/_enclave/apps/ice", b"", None), [dict(path="/_enclave/apps/vault")]),
    "push of the operator's app": (
        ("PUT", "/_enclave/apps/plain", code, None), [
            dict(path="/_enclave/apps/plain?rule=frozen"), dict(body=other), dict(path="/_enclave/apps/plane")]),
    "settings": (
        ("PUT", "/_enclave/apps/plain/settings", b'{"config":{"a":"b"}}', None), [
            dict(body=b'{"config":{"a":"c"}}'), dict(path="/_enclave/apps/vault/settings"), dict(path="/_enclave/apps/plain")]),
    "removal of the operator's app": (
        ("DELETE", "/_enclave/apps/plain", b"", None), [dict(path="/_enclave/apps/vault"), dict(path="/_enclave/egress-ca")]),
    "administrators": (
        ("PUT", "/_enclave/administrators", (admins % (2, me, them)).encode(), None), [
            dict(body=(admins % (1, me, them)).encode()), dict(body=(admins % (2, me, stranger)).encode())]),
    "witnesses": (
        ("PUT", "/_enclave/witnesses", b'{"witnesses":[]}', None), [
            dict(body=b'{"witnesses": []}'), dict(path="/_enclave/administrators")]),
    "the egress CA": (("PUT", "/_enclave/egress-ca", ca, None), [dict(body=evil), dict(method="DELETE")]),
    "no egress CA": (("DELETE", "/_enclave/egress-ca", b"", None), [dict(method="PUT", body=evil)]),
    "the issuer": (("PUT", "/_enclave/issuer", issuer, None), [dict(body=another_issuer), dict(method="DELETE")]),
    "no issuer": (("DELETE", "/_enclave/issuer", b"", None), [dict(method="PUT", body=another_issuer)]),
    "the public CA": (("PUT", "/_enclave/acme", acme, None), [dict(body=acme.replace(b"ca.", b"evil.")), dict(method="DELETE")]),
    "no public CA": (("DELETE", "/_enclave/acme", b"", None), [dict(method="PUT", body=acme), dict(path="/_enclave/issuer")]),
    "the upgrade rule": (
        ("PUT", "/_enclave/upgrade-rule", b'{"rule":"measurements","measurements":["%s"]}' % (b"00" * 32), None), [
            dict(body=b'{"rule":"measurements","measurements":["%s"]}' % (b"11" * 32)), dict(body=b'{"rule":"none"}')]),
    "holders of shares": (
        ("PUT", "/_enclave/recovery", b'{"holders":["%s"],"threshold":1}' % (b"09" * 32), None), [
            dict(body=b'{"holders":["%s"],"threshold":1}' % (b"11" * 32)), dict(path="/_enclave/upgrade-rule")]),
    "a hand-over": (
        ("POST", "/_enclave/hand-over", b'{"recipient":"%s"}' % (b"00" * 32), None), [
            dict(body=b'{"recipient":"%s"}' % (b"11" * 32))]),
    "giving up what is lost": (
        ("PUT", "/_enclave/salvage", b'{"list":"%s"}' % (b"00" * 32), None), [
            dict(body=b'{"list":"%s"}' % (b"11" * 32)), dict(path="/_enclave/witnesses")]),
}
# It is authorised, and changes nothing: nobody has shown itself as the recipient; nothing is lost by that list.
vain = {"a hand-over", "giving up what is lost"}
# What one administrator does alone.
alone = {"push of the operator's app", "settings", "removal of the operator's app", "the egress CA", "no egress CA", "the issuer", "no issuer",
         "the public CA", "no public CA"}
# Every route of administrators is among them.
routes = set(re.findall(r'#define \w+_PATH "(/_enclave/[a-z-]+)"', read(f"{source}/enclave/service/admin.c").decode()))
missing = {route for route in routes if not any(path.startswith(route) for (_, path, _, _), _ in requests.values())}
assert len(routes) > 4 and not missing, f"no request of {missing}"
# What any of them could be exchanged in: how it is made; a publication beside it; a query that says nothing.
for (method, path, body, publication), exchanges in requests.values():
    more = "&" if "?" in path else "?"
    exchanges += [dict(path=f"{path}{more}{how}") for how in ("now=true", "exclusive=true", "x=y", "")]
    exchanges += [dict(method=other) for other in ("DELETE", "PUT", "POST", "GET") if other != method]
    if not publication:
        exchanges += [dict(publication=worse), dict(publication=worse, path=f"{path}{more}{named(worse)}"),
                      dict(path=f"{path}{more}{named(worse)}")]

# Nothing else of a request reaches who handles it: whoever gives that a member says here what tokens cover it.
covered = {"method": "the token", "path": "the token", "body": "the token", "body_size": "the token", "publication": "the path",
           "authorization": "is tokens", "approvals": "is tokens", "approval_count": "is tokens", "asked_s": "the enclave's clock",
           "site": "the connection's, of which only GET asks"}
structure = re.search(r"struct http_admin_request \{(.*?)\n\};", read(f"{source}/enclave/https/http.h").decode(), re.S).group(1)
members = re.findall(r"[*\s](\w+)(?=[,;])", re.sub(r"/\*.*?\*/", "", structure, flags=re.S))
assert sorted(members) == sorted(covered), f"struct http_admin_request: {sorted(set(members) ^ set(covered))}"

failed = count = 0
for what, ((method, path, body, publication), exchanges) in requests.items():
    before = generation()
    tokens = [token(key, method, path, body) for key in (first, second)]

    def ask(**other):
        sent = dict(method=method, path=path, body=body, publication=publication) | other
        headers = [("Authorization", "Bearer " + tokens[0]), ("Enclave-Approval", tokens[1])]
        if sent["publication"] is not None:
            headers.append(("Enclave-Publication", sent["publication"]))
        return send(sent["method"], sent["path"], sent["body"], headers)

    if what not in alone:  # one of the two is not enough
        count += 1
        status, said = send(method, path, body, [("Authorization", "Bearer " + token(first, method, path, body))] +
                            ([("Enclave-Publication", publication)] if publication else []))
        if status != 403 or generation() != before:
            failed += 1
            print(f"{what}, by one alone: {status} {said}")
    for exchange in exchanges:
        count += 1
        if exchange.get("publication") == meant + " ":
            exchange = dict(publication=meant + ".")  # a blank at the end is not part of a field
        status, said = ask(**exchange)
        if status != 401 or generation() != before:
            failed += 1
            print(f"{what}, with {({k: str(v)[:120] for k, v in exchange.items()})}: {status} {said}")
    after = before if what in vain else before + 1
    status, said = ask()
    if (status in (401, 403) if what in vain else status not in (200, 201)) or generation() != after:
        failed += 1
        print(f"{what}: {status} {said}")
    status, said = ask()
    if status != 401 or generation() != after:
        failed += 1
        print(f"{what}, a second time: {status} {said}")
print(f"{count} exchanges of {len(requests)} requests")
sys.exit(1 if failed else 0)
