"""The CA that lives in an enclave, for clients that judge by a CA: what `enclavectl ca` does."""
import ctypes
import json
import os
import socket
import ssl
import tempfile
import urllib.parse

from . import Collateral, NotVerified, Policy, Result, _evidence, _take, client_context, judge, verify_certificate
from . import _library as lib
from ._manifest import fetch_manifest


class ExistsError(FileExistsError):
    """The file holds something else, and was left as it is: if that is the server's CA, this is another enclave now."""


def address_of(url):
    """(host, port) of https://HOST[:PORT][/]."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts = host = port = None
    if (not parts or parts.scheme != "https" or not host or port == 0 or parts.path not in ("", "/") or parts.query
            or parts.fragment or "@" in parts.netloc or any(c.isspace() for c in url)):
        raise ValueError(f"{url}: expected https://HOST[:PORT]")
    return host, port or 443


def _chain(tls):
    """The peer's certificates in DER, as they came in the handshake."""
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13
        return list(tls.get_unverified_chain())
    return [c.public_bytes(2) for c in tls._sslobj.get_unverified_chain()]  # 2: DER


def _issuer(tls):
    """The PEM of the CA that issued the peer's certificate, which was verified just now. What makes it worth something:
    the handshake, which the attested key signed, carried it."""
    chain = _chain(tls)
    if len(chain) != 2:
        raise ssl.SSLError(0, f"the peer sent {len(chain)} certificates instead of its own and its issuer's")
    pem = ssl.DER_cert_to_PEM_cert(chain[1])
    check = next(c for c in verify_certificate(chain[0], Policy(issuer=pem)).checks if c["name"] == "certificate issuer")
    if check["outcome"] != "passed":
        raise ssl.SSLError(0, f"the issuer's certificate: {check['reason']}")
    return pem


def fetch_ca(url, policy, collateral=None, *, any_instance=False, timeout=600):
    """Verify the enclave at https://HOST[:PORT], then return the certificate of the CA that lives in it, in PEM.

    Raises NotVerified; ValueError unless the policy says which enclave it is to be (a measurement, a signer, an issuer or an
    extension) or any_instance is True. collateral is as for verify_socket.
    """
    host, port = address_of(url)
    if not policy.names_enclave and not any_instance and not policy.any_instance:
        raise ValueError("nothing says which enclave this is to be: give a policy file, mrenclave, mrsigner, instance, issuer or "
                         "extensions, or any_instance=True if any will do")
    with socket.create_connection((host, port), timeout) as raw:
        with client_context().wrap_socket(raw, server_hostname=host) as tls:
            manifest = fetch_manifest(tls, host)[0] if policy.needs_manifest else None
            result = judge(tls, policy, collateral, manifest=manifest)
            if result.verdict == "refused":
                raise NotVerified(result)
            return _issuer(tls)


def policy_from(url, policy, collateral=None, *, who=False, timeout=600):
    """The text of a policy file that expects what is seen now of the enclave at https://HOST[:PORT]: trust at first use, in all
    that policy does not pin. who: only which program, and whose. Raises NotVerified if it is refused."""
    host, port = address_of(url)
    with socket.create_connection((host, port), timeout) as raw:
        with client_context().wrap_socket(raw, server_hostname=host) as tls:
            chain, manifest = _chain(tls), fetch_manifest(tls, host)[0]
            if isinstance(collateral, str):
                collateral = Collateral.fetch(collateral, chain[0])
    evidence = _evidence(chain[0], chain[1] if len(chain) == 2 else None, manifest)
    with policy._lock:
        lib.policy_set_live(policy._policy, True)
        result = lib.verify(policy._policy, collateral and collateral._collateral, ctypes.byref(evidence))
        try:
            text = lib.policy_write(policy._policy, result, ctypes.byref(evidence), who)
            values = _take(lib.result_json(result))
        finally:
            lib.result_destroy(result)
    if text:
        return _take(text).decode()
    result = Result(json.loads(values))
    if result.verdict == "refused":
        raise NotVerified(result)
    raise ssl.SSLError(0, "without a manifest nobody knows what to expect")


def save_ca(url, path, policy, collateral=None, **arguments):
    """fetch_ca, and the PEM into a file: whole or not at all, and never over another certificate (ExistsError)."""
    pem = fetch_ca(url, policy, collateral, **arguments).encode()
    write_new(path, pem, "If it is the CA that was saved for this server before, this is another enclave now")
    return pem.decode()


def write_new(path, data, hint):
    """Whole or not at all, and never over something else, of which hint says what it may mean."""
    try:
        with open(path, "rb") as file:
            before = file.read(len(data) + 1)
    except FileNotFoundError:
        before = b""
    if before not in (b"", data):
        raise ExistsError(f"{os.fspath(path)}: there is something else in it, which is left as it is. {hint}")
    if before != data:
        _write(path, data)


def _write(path, data):
    folder, name = os.path.split(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=name + ".tmp", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
