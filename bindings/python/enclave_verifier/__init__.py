"""Is the server the enclave that I expect? Binding of libenclave-verifier.

    policy = Policy(mrenclave="c12e...", roots=open("root.pem").read())
    context = client_context()
    with socket.create_connection((host, port)) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
        verify_socket(tls, policy)      # raises NotVerified, which says which check failed and why
        tls.sendall(...)

With requests, see enclave_verifier.requests.
"""
import ctypes
import json
import os
import ssl
import threading

from . import _library as lib

__all__ = ["Collateral", "ExistsError", "NotVerified", "Policy", "Result", "client_context", "fetch_ca", "save_ca",
           "verify_certificate", "verify_quote", "verify_socket"]


class NotVerified(ssl.SSLError):
    """The peer is not the enclave that was expected. `result` says why."""

    def __init__(self, result):
        self.result = result
        reasons = "; ".join(f"{c['name']}: {c['reason']}" for c in result.failed) or "a check that must pass was not made"
        super().__init__(0, f"not the enclave that was expected: {reasons}")


class Result:
    """A verification's outcome; `values` is what docs/verify.schema.json describes."""

    def __init__(self, values):
        self.values = values

    def __bool__(self):
        return self.values["verified"]

    def __getitem__(self, name):
        return self.values[name]

    @property
    def checks(self):
        return self.values["checks"]

    @property
    def failed(self):
        return [c for c in self.checks if c["outcome"] == "failed"]

    def raise_unless_verified(self):
        if not self:
            raise NotVerified(self)
        return self


def _hash(value):
    try:
        data = bytes.fromhex(value) if isinstance(value, str) else bytes(value)
    except ValueError:
        data = b""
    if len(data) != 32:
        raise ValueError(f"{value!r}: expected 32 bytes, or 64 hex digits")
    return data


def _number(value, what):
    """For a uint16_t, which ctypes would cut to size without a word."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise ValueError(f"{what} {value!r}: expected a whole number from 0 to 65535")
    return value


def _must(result, what):
    if result != 0:
        raise ValueError(f"{what}: {os.strerror(-result)}")


def _pem(value):
    return value.encode() if isinstance(value, str) else bytes(value)


class Policy:
    """What is expected. Without arguments: a hardware enclave under Intel's root, of any measurement.

    mrenclave    one accepted measurement, or several: 64 hex digits or 32 bytes each
    mrsigner     with prod_id and min_svn
    roots        PEM of the roots that the PCK chain may end in
    issuer       PEM of the enclave's own CA
    accept_tcb   names beside "UpToDate", such as "SWHardeningNeeded"
    extensions   {"1.3.6.1.4.1.65230.2.4": bytes}
    now          seconds since 1970, instead of the clock's
    """

    def __init__(self, *, mrenclave=(), mrsigner=None, prod_id=None, min_svn=None, roots=None, issuer=None,
                 allow_simulation=False, allow_debug=False, accept_tcb=(), require_collateral=False, extensions=None,
                 now=0):
        self.names_enclave = bool(mrenclave or mrsigner is not None or issuer is not None or extensions)
        self._policy = lib.policy_create()
        self._lock = threading.Lock()  # whether a certificate is live is part of the C policy
        if not self._policy:
            raise MemoryError
        for value in [mrenclave] if isinstance(mrenclave, (str, bytes)) else mrenclave:
            _must(lib.policy_add_mrenclave(self._policy, _hash(value)), "mrenclave")
        if mrsigner is not None:
            lib.policy_set_mrsigner(self._policy, _hash(mrsigner))
        if prod_id is not None:
            lib.policy_set_prod_id(self._policy, _number(prod_id, "prod_id"))
        if min_svn is not None:
            lib.policy_set_min_svn(self._policy, _number(min_svn, "min_svn"))
        if roots is not None:
            _must(lib.policy_set_roots(self._policy, _pem(roots), len(_pem(roots))),
                  "roots: expected 1 to 8 certificates in PEM, and nothing else")
        if issuer is not None:
            _must(lib.policy_set_issuer(self._policy, _pem(issuer), len(_pem(issuer))),
                  "issuer: expected one certificate in PEM, and nothing else")
        for name in accept_tcb:
            _must(lib.policy_accept_tcb(self._policy, lib.tcb_status_from_name(name.encode())), f"accept_tcb {name}")
        for oid, value in (extensions or {}).items():
            _must(lib.policy_expect_extension(self._policy, oid.encode(), value, len(value)), f"extension {oid}")
        lib.policy_allow_simulation(self._policy, allow_simulation)
        lib.policy_allow_debug(self._policy, allow_debug)
        lib.policy_require_collateral(self._policy, require_collateral)
        lib.policy_set_time(self._policy, now)

    def expect_app(self, name, sha256, proof):
        """The app must run from the .wasm of that hash; proof is what GET /_enclave/proof/NAME answers, as a dict."""
        path = b"".join(_hash(step) for step in proof["path"])
        inclusion = lib.Inclusion(proof["leaf_index"], proof["tree_size"], path, len(proof["path"]))
        _must(lib.policy_expect_app(self._policy, name.encode(), _hash(sha256), ctypes.byref(inclusion)), f"app {name}")

    def __del__(self):
        if getattr(self, "_policy", None):
            lib.policy_destroy(self._policy)


class Collateral:
    """The platform vendor's statements: TCB info, QE identity and revocation lists."""

    def __init__(self):
        self._collateral = lib.collateral_create()
        if not self._collateral:
            raise MemoryError

    def __del__(self):
        if getattr(self, "_collateral", None):
            lib.collateral_destroy(self._collateral)

    @classmethod
    def load(cls, folder):
        """From the files that save() writes."""
        collateral = cls()
        error = ctypes.create_string_buffer(512)
        if lib.collateral_load(collateral._collateral, os.fsencode(folder), error, len(error)) != 0:
            raise OSError(error.value.decode(errors="replace"))
        return collateral

    @classmethod
    def fetch(cls, url, certificate, *, ca_file=None, timeout=20, any_certificate=False):
        """From a PCCS at url, for the platform in the DER certificate."""
        collateral = cls()
        error = ctypes.create_string_buffer(512)
        if not 0 < timeout <= 86400:
            raise ValueError(f"timeout {timeout!r}: expected seconds, more than 0 and at most 86400")
        options = lib.FetchOptions(os.fsencode(ca_file) if ca_file else None, int(timeout * 1000), any_certificate)
        if lib.collateral_fetch_for(collateral._collateral, url.encode(), certificate, len(certificate),
                                    ctypes.byref(options), error, len(error)) != 0:
            raise OSError(error.value.decode(errors="replace"))
        return collateral

    def save(self, folder):
        error = ctypes.create_string_buffer(512)
        if lib.collateral_save(self._collateral, os.fsencode(folder), error, len(error)) != 0:
            raise OSError(error.value.decode(errors="replace"))


def _read(result):
    if not result:
        raise MemoryError
    text = lib.result_json(result)
    lib.result_destroy(result)
    if not text:
        raise MemoryError
    try:
        return Result(json.loads(ctypes.string_at(text)))
    finally:
        lib.free(text)


def verify_certificate(der, policy, collateral=None, *, live=False):
    """Judge a certificate in DER. live: it comes from a TLS 1.3 handshake just now, which was not resumed."""
    with policy._lock:
        lib.policy_set_live(policy._policy, live)
        result = lib.verify_certificate_der(policy._policy, collateral and collateral._collateral, der, len(der))
    return _read(result)


def verify_quote(quote, policy, collateral=None, *, report_data=None):
    """Judge a quote alone."""
    if report_data is not None and len(report_data) != 64:
        raise ValueError("report_data: expected 64 bytes")
    return _read(lib.verify_quote(policy._policy, collateral and collateral._collateral, quote, len(quote), report_data))


def verify_socket(tls, policy, collateral=None):
    """Judge the peer of a connected ssl.SSLSocket; raises NotVerified. collateral may be a PCCS's address."""
    if tls.version() != "TLSv1.3" or tls.session_reused:
        raise ssl.SSLError(0, "not a full TLS 1.3 handshake: nothing proves the certificate's key")
    der = tls.getpeercert(binary_form=True)
    if not der:
        raise ssl.SSLError(0, "the peer sent no certificate")
    if isinstance(collateral, str):
        collateral = Collateral.fetch(collateral, der)
    return verify_certificate(der, policy, collateral, live=True).raise_unless_verified()


def client_context():
    """An ssl.SSLContext whose connections verify_socket can judge: TLS 1.3, no CA asked, since the quote decides."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


from ._ca import ExistsError, fetch_ca, save_ca  # noqa: E402 (it is made of the above)
