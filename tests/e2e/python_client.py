"""What a user of the Python binding writes, against a live server: HOST PORT PCCS ROOT.pem MRENCLAVE HELLO_SHA256."""
import json
import pathlib
import socket
import sys
import tempfile

import requests

from enclave_verifier import (Collateral, NotVerified, Policy, client_context, judge, verify_certificate, verify_quote,
                              verify_socket)
from enclave_verifier.requests import EnclaveAdapter

host, port, pccs, root_path, mrenclave, wasm_sha256, policy_path = sys.argv[1:]
url = f"https://{host}:{port}"
root = pathlib.Path(root_path).read_text()
known = json.loads(pathlib.Path(policy_path).read_text())
issuer = known["issuer"]
right = Policy(mrenclave=mrenclave, roots=root, issuer=issuer, allow_simulation=True, require_collateral=True)
wrong = Policy(mrenclave="00" * 32, roots=root, issuer=issuer, allow_simulation=True, require_collateral=True)


def connect():
    return client_context().wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost")


def refused(result, *names):
    assert not result and result.verdict == "refused" and {c["name"] for c in result.failed} == set(names), result.failed


# the ssl module
with connect() as tls:
    result = verify_socket(tls, right, pccs)
    assert result and result["simulated"] and result["tcb_status"] == "UpToDate" and result["mrenclave"] == mrenclave
    assert all(check["reason"] for check in result.checks)
    tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b'{"status":"ok"}' in b"".join(iter(lambda: tls.recv(4096), b""))
with connect() as tls:
    certificate = tls.getpeercert(binary_form=True)
    try:
        verify_socket(tls, wrong, pccs)
        raise SystemExit("another MRENCLAVE was accepted")
    except NotVerified as e:
        refused(e.result, "mrenclave")
        assert "mrenclave" in str(e) and mrenclave in str(e)

# whose it is: nobody's in particular is not enough for who sends something, and is told before he connects
anybody = Policy(mrenclave=mrenclave, roots=root, allow_simulation=True)
for refuse in (lambda: verify_socket(None, anybody), lambda: EnclaveAdapter(anybody), lambda: EnclaveAdapter(Policy())):
    try:
        refuse()
        raise SystemExit("nothing says whose enclave it is to be")
    except ValueError as e:
        assert "whose enclave" in str(e)
result = verify_certificate(certificate, anybody, live=True)
assert result.verdict == "genuine" and not result and not result["verified"]
try:
    result.raise_unless_verified()
    raise SystemExit("genuine is taken for verified")
except NotVerified as e:
    assert "nothing says whose" in str(e)
any_one = Policy(mrenclave=mrenclave, roots=root, allow_simulation=True, any_instance=True)
with connect() as tls:
    result = verify_socket(tls, any_one)
    assert result and result.verdict == "genuine"
with connect() as tls:
    named = Policy(mrenclave=mrenclave, allow_simulation=True, instance=known["instance"])
    assert verify_socket(tls, named).verdict == "verified"
with connect() as tls:
    refused(judge(tls, Policy(mrenclave=mrenclave, allow_simulation=True, instance="00" * 32)), "instance")
with connect() as tls:
    ruled = Policy(file=known, upgrade_rule='{"rule": "measurements", "measurements": []}', predecessors=["e5" * 32])
    assert verify_socket(tls, ruled).verdict == "verified"

# what it runs: over the very connection that is used then, and before anything is sent
hello = {"name": "hello", "sha256": wasm_sha256, "settings": None, "egress": []}
configured = {**known, "apps": [hello], "only_apps": True}
with connect() as tls:
    result = verify_socket(tls, Policy(file=configured))
    assert result.verdict == "verified" and {c["outcome"] for c in result.checks if c["name"] == "app settings"} == {"passed"}
    tls.sendall(b"GET /hello/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"Hello" in b"".join(iter(lambda: tls.recv(4096), b""))
for change, name in (({"apps": [{**hello, "sha256": "00" * 32}]}, "app"), ({"apps": []}, "only apps"),
                     ({"apps": [{**hello, "settings": "00" * 32}]}, "app settings"), ({"min_generation": 1 << 40}, "generation"),
                     ({"apps": [{**hello, "egress": ["a.example"]}]}, "app egress"), ({"limits": "none"}, "limits"),
                     ({"upgrade_rule": {"rule": "none"}}, "upgrade rule")):
    with connect() as tls:
        try:
            verify_socket(tls, Policy(file={**configured, **change}))
            raise SystemExit(f"{change} was taken")
        except NotVerified as e:
            refused(e.result, name)
refused(verify_certificate(certificate, Policy(file=configured), live=True), "manifest")

# certificates and collateral as values
collateral = Collateral.fetch(pccs, certificate)
with tempfile.TemporaryDirectory() as folder:
    collateral.save(folder)
    collateral = Collateral.load(folder)
assert verify_certificate(certificate, right, collateral)
refused(verify_certificate(certificate, right), "collateral")
refused(verify_certificate(certificate, Policy()), "root", "debug")
refused(verify_certificate(certificate, Policy(allow_simulation=True, min_svn=9, prod_id=9)), "security version", "product id")
refused(verify_certificate(b"nonsense", right, collateral), "certificate")
refused(verify_quote(b"nonsense", right, collateral), "quote")
for bad in (dict(mrenclave="00"), dict(mrenclave="zz" * 32), dict(roots="no PEM"), dict(prod_id=-1), dict(prod_id=65536),
            dict(min_svn=1 << 64), dict(min_svn="1"), dict(min_svn=1.5), dict(roots=root + "junk"), dict(issuer=root + root), dict(accept_tcb=["Revoked"]), dict(extensions={"no oid": b""}),
            dict(predecessors=["00"]), dict(upgrade_rule={"rule": "any"}), dict(file={**configured, "upgrade_rule": {"rule": "none"}},
                                                                               upgrade_rule={"rule": "measurements", "measurements": []})):
    try:
        Policy(**bad)
        raise SystemExit(f"{bad} was taken")
    except ValueError:
        pass
for timeout in (0, -1, 1 << 40):
    try:
        Collateral.fetch("http://127.0.0.1:1", certificate, timeout=timeout)
        raise SystemExit(f"a timeout of {timeout} was taken")
    except ValueError as e:
        assert "timeout" in str(e)
for broken in (lambda: Collateral.load("/nonexistent"), lambda: Collateral.fetch("http://127.0.0.1:1", certificate)):
    try:
        broken()
        raise SystemExit("collateral out of nothing")
    except OSError as e:
        assert str(e)

# requests
session = requests.Session()
session.trust_env = False
session.mount(url, EnclaveAdapter(right, pccs))
by_file = requests.Session()
by_file.trust_env = False
by_file.mount(url, EnclaveAdapter(Policy(file=configured)))
assert "hello" in by_file.get(url + "/hello/", timeout=30).text.lower()
for _ in range(2):
    answer = session.get(url + "/hello/", timeout=30)
    assert answer.status_code == 200 and "hello" in answer.text.lower()

# which app runs there: the proof comes over a verified connection, and is checked by the next one
proof = session.get(url + "/_enclave/proof/hello", timeout=30).json()
assert session.get(url + "/_enclave/proof/absent", timeout=30).status_code == 404
for good, sha256 in ((True, wasm_sha256), (False, "00" * 32)):
    policy = Policy(mrenclave=mrenclave, roots=root, issuer=issuer, allow_simulation=True)
    policy.expect_app("hello", sha256, proof)
    with connect() as tls:
        if good:
            verify_socket(tls, policy, collateral)
        else:
            refused(verify_certificate(tls.getpeercert(binary_form=True), policy, collateral, live=True), "app")

other = requests.Session()
other.trust_env = False
other.mount(url, EnclaveAdapter(wrong, pccs))
try:
    other.get(url + "/hello/", timeout=30)
    raise SystemExit("requests talked to another MRENCLAVE")
except requests.exceptions.SSLError as e:
    assert "mrenclave" in str(e)
print(json.dumps(result.values, indent=2))
