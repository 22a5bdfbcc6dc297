"""Evidence behind the handshake (docs/protocol.md): a server is challenged, and what both ends of this very connection know of it
is in its answer. A server of version 2 has no other: its certificate is without a quote.

Python's ssl exports no keying material. It can write a key log, though (RFC 9850), and the exporter's secret is a line of it: from
that, this computes what TLS exports (RFC 8446, section 7.5). The log is in memory, and emptied as soon as it was read."""
import base64
import ctypes
import hashlib
import hmac
import json
import os
import re
import time
import weakref

from . import _library as lib
from ._manifest import NoAnswer, fetch_page, is_later

_LABEL = b"EXPORTER-privasys-ratls-attest-v2"
_ANSWER_MAX, _ATTEMPTS = 32768, 10  # of asking again while others ask, a second apart
# As certificates have them, tag and length included.
_QUOTE = bytes.fromhex("060a2a864886f84d010d0100")  # 1.2.840.113741.1.13.1.0
_DICE = bytes.fromhex("0606678105050409")  # 2.23.133.5.4.9
_ROOT_OF_V2 = bytes.fromhex("060a2b0601040183fd4e0201")  # 1.3.6.1.4.1.65230.2.1
_SECRET = re.compile(rb"^EXPORTER_SECRET ([0-9a-f]{64}) ((?:[0-9a-f]{64}|[0-9a-f]{96}))\n", re.MULTILINE)


def is_v2(der):
    """Whether a certificate seems to be of a server of version 2. What it is, and what it is worth, the verification says."""
    return _ROOT_OF_V2 in der and _QUOTE not in der and _DICE not in der


# ---- what TLS exports ----------------------------------------------------------------------------------------------------------


class KeyLog:
    """Of one context's connections, of which there must be one at a time until it is judged."""

    def __init__(self, context):
        fd = os.memfd_create("key-log", os.MFD_CLOEXEC)
        self._end = weakref.finalize(self, os.close, fd)
        self._fd = fd
        context.keylog_filename = f"/proc/self/fd/{fd}"

    def take(self):
        """The exporter's secret of the only connection since the last time, or None; and the log is empty."""
        data = os.pread(self._fd, 1 << 16, 0)
        os.ftruncate(self._fd, 0)
        found = dict(_SECRET.findall(data))
        return bytes.fromhex(next(iter(found.values())).decode()) if len(found) == 1 else None


def _expand_label(secret, label, context, size, name):
    """HKDF-Expand-Label of RFC 8446, of one block at most."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + bytes([len(context)]) + context + b"\1"
    return hmac.digest(secret, info, name)[:size]


def _exported(tls, secret, context):
    name = "sha384" if tls.cipher()[0].endswith("SHA384") else "sha256"
    size = hashlib.new(name).digest_size
    if len(secret) != size:
        return None
    of_label = _expand_label(secret, _LABEL, hashlib.new(name).digest(), size, name)
    return _expand_label(of_label, b"exporter", hashlib.new(name, context).digest(), 32, name)


def exported(tls, context):
    """The 32 bytes that TLS exports for context at this end of a connection; None: it cannot be told."""
    log = getattr(tls.context, "_key_log", None)
    secret = log.take() if log else None
    return secret and _exported(tls, secret, context)


# ---- asked ---------------------------------------------------------------------------------------------------------------------


def fetch_fresh(tls, der, spki_sha256, host="enclave"):
    """(what the server proves over this connection, for verify_certificate; whether that takes another request). The first is None if
    the connection's context is not one of client_context's, or had another connection besides. Raises NoAnswer."""
    context = os.urandom(32)
    known = exported(tls, context)
    if known is None:
        return None, True
    text = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    question = {"v": 2, "mode": "challenge", "leaf": text(bytes.fromhex(spki_sha256)), "context": text(context)}
    challenge = json.dumps(question, separators=(",", ":")).encode()
    for attempt in range(_ATTEMPTS):
        if attempt > 0:
            time.sleep(1)  # as its Retry-After says
        status, body, reusable = fetch_page(tls, "/__privasys/attest", _ANSWER_MAX, host, challenge)
        if not is_later(status):
            return (body if status == 200 else b"", context, known), reusable
        if not reusable:
            break
    raise NoAnswer(f"no fresh evidence: it answers {status}")


def structure(fresh):
    """What fetch_fresh gave, as C has it; None stays that."""
    if fresh is None:
        return None
    answer, context, known = fresh
    if len(context) != 32 or len(known) != 32:
        raise ValueError("fresh: expected an answer, and twice 32 bytes")
    answer = answer.encode() if isinstance(answer, str) else bytes(answer)
    return ctypes.pointer(lib.Fresh(answer, len(answer), (ctypes.c_uint8 * 32)(*context), (ctypes.c_uint8 * 32)(*known)))
