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

__all__ = ["Collateral", "ConnectionSpent", "ExistsError", "NotVerified", "Policy", "Result", "client_context", "fetch_ca",
           "fetch_manifest", "judge", "policy_from", "save_ca", "verify_certificate", "verify_quote", "verify_socket"]


class NotVerified(ssl.SSLError):
    """The peer is not the enclave that was expected. `result` says why."""

    def __init__(self, result):
        self.result = result
        reasons = "; ".join(f"{c['name']}: {c['reason']}" for c in result.failed)
        if not reasons:
            reasons = ("it is genuine, but nothing says whose it is" if result.verdict == "genuine" else
                       "a check that must pass was not made")
        super().__init__(0, f"not the enclave that was expected: {reasons}")


class Result:
    """A verification's outcome; `values` is what docs/verify.schema.json describes. It is true if the verdict is "verified", or
    "genuine" under a policy that takes any instance."""

    def __init__(self, values, any_instance=False):
        self.values = values
        self._any_instance = any_instance

    def __bool__(self):
        return self.verdict == "verified" or (self.verdict == "genuine" and self._any_instance)

    @property
    def verdict(self):
        """"refused", "genuine" (nothing is wrong, but nothing says whose enclave it is) or "verified"."""
        return self.values["verdict"]

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
    instance     the 32 bytes of the enclave's first boot, of an accepted measurement or signer
    file         all that a policy file can say (docs/policy.md): its text, or what json.loads makes of it; the other arguments add
                 to it
    any_instance nothing says whose enclave it is to be, and any will do
    """

    def __init__(self, *, mrenclave=(), mrsigner=None, prod_id=None, min_svn=None, roots=None, issuer=None,
                 allow_simulation=False, allow_debug=False, accept_tcb=(), require_collateral=False, extensions=None,
                 now=0, instance=None, file=None, any_instance=False):
        self._policy = lib.policy_create()
        self._lock = threading.Lock()  # whether a certificate is live is part of the C policy
        if not self._policy:
            raise MemoryError
        if file is not None:
            self._read(file)
        self.any_instance = bool(any_instance)
        lib.policy_accept_any_instance(self._policy, self.any_instance)
        if instance is not None and lib.policy_expect_instance(self._policy, _hash(instance)) != 0:
            raise ValueError("instance: the policy file names another one")
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
        for allowed, allow in ((allow_simulation, lib.policy_allow_simulation), (allow_debug, lib.policy_allow_debug),
                               (require_collateral, lib.policy_require_collateral)):
            if allowed:
                allow(self._policy, True)
        lib.policy_set_time(self._policy, now)

    @classmethod
    def load(cls, path, **arguments):
        """Of a policy file."""
        with open(path, "rb") as file:
            return cls(file=file.read(), **arguments)

    def _read(self, file):
        text = file.encode() if isinstance(file, str) else file if isinstance(file, bytes) else json.dumps(file).encode()
        error = ctypes.create_string_buffer(256)
        result = lib.policy_read(self._policy, text, len(text), error, len(error))
        if result != 0:
            raise ValueError(f"policy: {error.value.decode(errors='replace') or os.strerror(-result)}")

    @property
    def names_enclave(self):
        """Whether it says at least which enclave it may be: a measurement, signer, issuer, instance or extension."""
        return lib.policy_names_enclave(self._policy)

    @property
    def names_instance(self):
        """Whether it says whose enclave it is to be, or that any will do: who sends anything needs such a policy."""
        return lib.policy_names_instance(self._policy)

    @property
    def needs_manifest(self):
        return lib.policy_needs_manifest(self._policy)

    def require_instance(self):
        if not self.names_instance:
            raise ValueError("nothing says whose enclave this is to be, and anybody can run such a program: give a policy file, "
                             "issuer, or instance with mrenclave or mrsigner, or any_instance=True if any will do")

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


def _take(text):
    """A string of the library's, and its memory back."""
    if not text:
        raise MemoryError
    try:
        return ctypes.string_at(text)
    finally:
        lib.free(text)


def _read(result, policy):
    if not result:
        raise MemoryError
    text = lib.result_json(result)
    lib.result_destroy(result)
    return Result(json.loads(_take(text)), policy.any_instance)


def _evidence(der, issuer=None, manifest=None):
    if isinstance(manifest, str):
        manifest = manifest.encode()
    return lib.Evidence(der, len(der), issuer, len(issuer or b""), manifest, len(manifest or b""))


def verify_certificate(der, policy, collateral=None, *, live=False, manifest=None):
    """Judge a certificate in DER. live: it comes from a TLS 1.3 handshake just now, which was not resumed. manifest is what
    GET /_enclave/manifest answers."""
    evidence = _evidence(der, None, manifest)
    with policy._lock:
        lib.policy_set_live(policy._policy, live)
        result = lib.verify(policy._policy, collateral and collateral._collateral, ctypes.byref(evidence))
    return _read(result, policy)


def verify_quote(quote, policy, collateral=None, *, report_data=None):
    """Judge a quote alone."""
    if report_data is not None and len(report_data) != 64:
        raise ValueError("report_data: expected 64 bytes")
    return _read(lib.verify_quote(policy._policy, collateral and collateral._collateral, quote, len(quote), report_data), policy)


def judge(tls, policy, collateral=None, *, manifest=None):
    """The Result for the peer of a connected ssl.SSLSocket, whatever it comes to. collateral may be a PCCS's address."""
    if tls.version() != "TLSv1.3" or tls.session_reused:
        raise ssl.SSLError(0, "not a full TLS 1.3 handshake: nothing proves the certificate's key")
    der = tls.getpeercert(binary_form=True)
    if not der:
        raise ssl.SSLError(0, "the peer sent no certificate")
    if isinstance(collateral, str):
        collateral = Collateral.fetch(collateral, der)
    return verify_certificate(der, policy, collateral, live=True, manifest=manifest)


def verify_socket(tls, policy, collateral=None):
    """Verify the peer of a connected ssl.SSLSocket, before anything else is sent; raises NotVerified. The policy must say whose
    enclave it is to be. If it expects something of the configuration, the manifest is asked for over this connection, which
    ConnectionSpent says if it takes no further request: connect again then. collateral may be a PCCS's address."""
    policy.require_instance()
    manifest, reusable = fetch_manifest(tls) if policy.needs_manifest else (None, True)
    result = judge(tls, policy, collateral, manifest=manifest).raise_unless_verified()
    if not reusable:
        raise ConnectionSpent(0, "the server's configuration has just changed: connect again")
    return result


def client_context():
    """An ssl.SSLContext whose connections verify_socket can judge: TLS 1.3, no CA asked, since the quote decides."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


from ._manifest import ConnectionSpent, fetch_manifest  # noqa: E402
from ._ca import ExistsError, fetch_ca, policy_from, save_ca  # noqa: E402 (it is made of the above)
