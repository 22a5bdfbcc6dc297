"""The CA that lives in an enclave, for clients that judge by a CA: what `enclavectl ca` does."""
import ctypes
import errno
import json
import os
import socket
import ssl
import stat
import tempfile
import urllib.parse

from . import (NotVerified, Policy, Result, _collateral_for, _evidence, _fresh_of, _judge, _peer, _renewed, _seen, _take, _verify, client_context,
               verify_certificate)
from . import _library as lib
from ._log import Log, LogError, LogUnanswered, Source, has_log
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


def _issuer(chain):
    """The PEM of the CA that issued the peer's certificate, which was verified just now. What makes it worth something:
    the handshake, which the attested key signed, carried it."""
    if len(chain) != 2:
        raise ssl.SSLError(0, f"the peer sent {len(chain)} certificates instead of its own and its issuer's")
    pem = ssl.DER_cert_to_PEM_cert(chain[1])
    check = next(c for c in verify_certificate(chain[0], Policy(issuer=pem)).checks if c["name"] == "certificate issuer")
    if check["outcome"] != "passed":
        raise ssl.SSLError(0, f"the issuer's certificate: {check['reason']}")
    return pem


def log_of(tls, der, host, port, timeout=600, reusable=True):
    """The log that the certificate of a connected socket names; None: it does not name one, or the server has none. Raises
    LogUnanswered."""
    if not has_log(der):
        return None
    source = Source(tls, der, host, port, client_context(), timeout, reusable)
    try:
        return Log(source)
    except LogUnanswered:
        raise
    except LogError as e:
        if source.stranger:
            raise LogUnanswered(f"{e}, over a connection with another certificate: ask again") from None
        return None  # the check says so


def fetch_ca(url, policy, collateral=None, *, any_instance=False, timeout=600):
    """Verify the enclave at https://HOST[:PORT], then return the certificate of the CA that lives in it, in PEM.

    Raises NotVerified; ValueError unless the policy says which enclave it is to be (a measurement, a signer or an
    issuer) or any_instance is True. collateral is as for verify_socket.
    """
    host, port = address_of(url)
    if not policy.names_program and not any_instance and not policy.any_instance:
        raise ValueError("nothing says which enclave this is to be, as any program can show what else is expected: give a policy "
                         "file, mrenclave, mrsigner or issuer, or any_instance=True if any will do")
    with socket.create_connection((host, port), timeout) as raw:
        with client_context().wrap_socket(raw, server_hostname=host) as tls:
            der, chain = _peer(tls), _chain(tls)
            manifest, fresh, reusable = _seen(tls, host, policy)
            log = log_of(tls, der, host, port, timeout, reusable) if policy.needs_log else None
            result = _judge(der, policy, collateral, manifest=manifest, log=log, fresh=fresh)
            if result.verdict == "refused":
                raise NotVerified(result)
            return _issuer(chain)


def policy_from(url, policy, collateral=None, *, who=False, only_apps=False, timeout=600):
    """The text of a policy file that expects what is seen now of the enclave at https://HOST[:PORT]: trust at first use, in all
    that policy does not pin. who: only which program, and whose; ValueError if policy pins more than that. only_apps: and that no
    other apps run there, which policy then expects, too. Raises NotVerified if it is refused."""
    if who and only_apps:
        raise ValueError("only_apps: with who nothing of apps is written down")
    if who:
        policy.refuse_beyond_who()
    host, port = address_of(url)
    with socket.create_connection((host, port), timeout) as raw:
        with client_context().wrap_socket(raw, server_hostname=host) as tls:
            chain, (manifest, reusable) = _chain(tls), fetch_manifest(tls, host)
            fresh, reusable = _fresh_of(tls, chain[0], host, policy, reusable)
            collateral = _collateral_for(collateral, chain[0])
            log = log_of(tls, chain[0], host, port, timeout, reusable)
            if log:
                log._source.release()
    with policy._lock:
        _renewed(log, policy._recall())
        evidence = _evidence(chain[0], chain[1] if len(chain) == 2 else None, manifest, log, policy, fresh)
        result, conflict = _verify(policy, collateral, evidence, log, True)
        try:
            if only_apps:
                lib.policy_only_apps(policy._policy, True)
            text = lib.policy_write(policy._policy, result, ctypes.byref(evidence), who)
            values = _take(lib.result_json(result))
        finally:
            lib.result_destroy(result)
    if text:
        return _take(text).decode()
    result = Result(json.loads(values), conflict=conflict)
    if result.verdict == "refused":
        raise NotVerified(result)
    raise ssl.SSLError(0, "without a manifest nobody knows what to expect")


def save_ca(url, path, policy, collateral=None, **arguments):
    """fetch_ca, and the PEM into a file: whole or not at all, and never over another certificate (ExistsError)."""
    pem = fetch_ca(url, policy, collateral, **arguments).encode()
    write_new(path, pem, "If it is the CA that was saved for this server before, this is another enclave now")
    return pem.decode()


def write_new(path, data, hint):
    """Whole or not at all, and never over something else, of which hint says what it may mean. Through links, into the file that
    they lead to."""
    while True:
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            raise OSError(errno.EINVAL, "not a file", os.fspath(path))  # of a pipe or a terminal nobody knows an end
        try:
            with open(path, "rb") as file:
                before = file.read(len(data) + 1)
        except FileNotFoundError:
            before = None
        if before not in (None, b"", data):
            raise ExistsError(f"{os.fspath(path)}: there is something else in it, which is left as it is. {hint}")
        if before == data:
            return
        try:
            _write(os.path.realpath(path), data, fresh=before is None)
            return
        except FileExistsError:  # somebody has just written it
            pass


def _write(path, data, fresh):
    """Beside, and moved there; what is there keeps its permissions."""
    folder, name = os.path.split(path)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=name + ".tmp", dir=folder)
    except (PermissionError, OSError) as e:
        if e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OSError(e.errno, "no file can be made in its folder, where the new one is written before it takes the place of the "
                          f"old one: {e.strerror}", path) from None
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            if fresh:
                os.fchmod(file.fileno(), 0o644)
            else:
                _keep_permissions(file.fileno(), os.stat(path))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            os.link(temporary, path)
            os.unlink(temporary)
        else:
            os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _keep_permissions(descriptor, before):
    mode = stat.S_IMODE(before.st_mode) & 0o777
    try:
        os.fchown(descriptor, before.st_uid, before.st_gid)
    except OSError:
        if os.fstat(descriptor).st_gid != before.st_gid:
            mode &= ~0o070 | (mode & 0o007) << 3
    os.fchmod(descriptor, mode)
