"""An instance's history: read from who was verified; and what two clients remember of it, compared."""
import ctypes
import os
import socket

from . import _library as lib
from . import NotVerified, _judge, _peer, _seen, _take, client_context
from ._ca import address_of
from ._log import Log, LogError, Source


def fetch_log(url, policy, collateral=None, *, timeout=600):
    """Verify the enclave at https://HOST[:PORT], and then return its Log, whose head its certificate vouches for. Raises
    NotVerified, LogError or NoAnswer."""
    host, port = address_of(url)
    with socket.create_connection((host, port), timeout) as raw:
        with client_context().wrap_socket(raw, server_hostname=host) as tls:
            der = _peer(tls)
            manifest, fresh, reusable = _seen(tls, host, policy)
            source = Source(tls, der, host, port, client_context(), timeout, reusable)
            log = Log(source)
            result = _judge(der, policy, collateral, manifest=manifest, log=log, fresh=fresh)
            source.release()
    if result.verdict == "refused":
        raise NotVerified(result)
    if result["log"]["checkpoint"] is None:
        raise LogError("its certificate names no log")
    return log


def compare_logs(a, b=None, url=None, *, timeout=600):
    """Whether what two clients remember is one history: (outcome, why, evidence, (size, root)), the outcome being "consistent",
    "unproven" or "conflict". a and b are files of log_state, or of conflicts; the server at url, which need not be trusted, may
    help. ValueError: a file is none, or they are of two logs."""
    outcome = _compare(a, b, None, None)
    if url is None:
        return outcome
    host, port = address_of(url)
    context = client_context()
    log = Log(Source(None, None, host, port, context, timeout))
    with socket.create_connection((host, port), timeout) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
        der = tls.getpeercert(binary_form=True)
    return _compare(a, b, log, der)


def _compare(a, b, log, der):
    c = lib.Comparison()
    result = lib.log_compare(os.fsencode(a), None if b is None else os.fsencode(b), log._log if log else None, der, len(der or b""),
                             ctypes.byref(c))
    why = c.why.decode(errors="replace")
    evidence = _take(c.evidence).decode() if c.evidence else None
    if result != 0:
        raise (LogError if log else ValueError)(why)
    return ("consistent", "unproven", "conflict")[c.outcome], why, evidence, (c.size, bytes(c.root))
