"""Is the server the enclave that I expect? Binding of libenclave-verifier.

    policy = Policy(mrenclave="c12e...", roots=open("root.pem").read())
    context = client_context()
    with socket.create_connection((host, port)) as raw, context.wrap_socket(raw, server_hostname=host) as tls:
        verify_socket(tls, policy)      # raises NotVerified, which says which check failed and why
        tls.sendall(...)

With requests, see enclave_verifier.requests.
"""
import ctypes
import errno
import json
import os
import ssl
import threading

from . import _library as lib

__all__ = ["Collateral", "ConnectionSpent", "ExistsError", "NoAnswer", "NotVerified", "Log", "LogError", "LogUnanswered", "Policy", "Result", "client_context", "fetch_ca", "fetch_log",
           "compare_logs", "fetch_manifest", "judge", "policy_from", "save_ca", "verify_certificate", "verify_quote", "verify_socket"]


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

    def __init__(self, values, any_instance=False, conflict=None):
        self.values = values
        self._any_instance = any_instance
        self.conflict = conflict  # with what log_state remembers: JSON for a third party (docs/history.md); None: there is none

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


def _expect(result, what):
    """A setter's word about something that may have been said before."""
    if result == -errno.EEXIST:
        raise ValueError(f"{what}: the policy file, or another argument, expects something else")
    _must(result, what)


def _name(value):
    """Of an app: C would end it at a NUL."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r}: no name of an app")
    return value.encode()


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
    apps         {name: hash of the .wasm}; these apps run there
    app_settings {name: hash of the settings, or None}
    egress       {name: "host[:port],..."}; "" for nowhere
    only_apps    no app runs there but those that are named
    administrators  [(role, key)], and nobody else: role "admin", "deploy" or "monitor", key the SHA-256 of the public key. [] for
                 nobody at all
    admin_threshold  how many of those in the role "admin" it takes to change that
    upgrade_rule which enclave may have the instance next: the rule as the leaf has it, its text or what json.loads makes of it
    predecessors measurements of images that may have had the instance before, beside mrenclave
    file         all that a policy file can say (docs/policy.md): its text, or what json.loads makes of it; the other arguments add
                 to it
    any_instance nothing says whose enclave it is to be, and any will do
    fresh        the server must prove itself once more, for the very connection
    log_state    the file in which the largest head of its log is remembered that was seen; made at the first use. Its history must
                 go on from there
    """

    def __init__(self, *, mrenclave=(), mrsigner=None, prod_id=None, min_svn=None, roots=None, issuer=None,
                 allow_simulation=False, allow_debug=False, accept_tcb=(), require_collateral=False, extensions=None,
                 now=0, instance=None, apps=None, app_settings=None, egress=None, only_apps=False, administrators=None,
                 admin_threshold=1, file=None, any_instance=False, log_state=None,
                 upgrade_rule=None, predecessors=(), fresh=False):
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
        self._expect_apps(apps or {}, app_settings or {}, egress or {}, only_apps)
        if administrators is not None:
            self._expect_administrators(list(administrators), admin_threshold)
        if upgrade_rule is not None:
            text = (upgrade_rule if isinstance(upgrade_rule, str) else json.dumps(upgrade_rule)).encode()
            _expect(lib.policy_expect_upgrade_rule(self._policy, text, len(text)), "upgrade_rule")
        for value in predecessors:
            _must(lib.policy_add_predecessor(self._policy, _hash(value)), "predecessors")
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
        self.requires_fresh = bool(fresh)
        lib.policy_require_fresh(self._policy, self.requires_fresh)
        self.log_state = log_state
        self._recall()

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

    def _expect_apps(self, apps, settings, egress, only_apps):
        for name, sha256 in apps.items():
            _expect(lib.policy_expect_code(self._policy, _name(name), _hash(sha256)), f"apps: {name}")
        for name, sha256 in settings.items():
            _expect(lib.policy_expect_settings(self._policy, _name(name), None if sha256 is None else _hash(sha256)),
                    f"app_settings: {name}")
        for name, hosts in egress.items():
            _expect(lib.policy_expect_egress(self._policy, _name(name), _name(hosts)), f"egress: {name}={hosts}")
        if only_apps:
            lib.policy_only_apps(self._policy, True)

    def _expect_administrators(self, administrators, threshold):
        listed = (lib.Administrator * len(administrators))()
        admins = 0
        for one, (role, key) in zip(listed, administrators):
            if role not in lib.ROLES:
                raise ValueError(f"administrators: {role!r}: expected admin, deploy or monitor")
            one.role, one.key = lib.ROLES.index(role), (ctypes.c_uint8 * 32)(*_hash(key))
            admins += role == "admin"
        if administrators and not 1 <= _number(threshold, "admin_threshold") <= max(admins, 1):
            raise ValueError(f"admin_threshold {threshold}: there are {admins} in the role admin")
        _expect(lib.policy_expect_administrators(self._policy, threshold if administrators else 0, listed, len(listed)),
                "administrators")

    def _recall(self):
        """What the file says now; others may write it, too. How many entries that are."""
        if self.log_state is None:
            return 0
        error, size = ctypes.create_string_buffer(256), ctypes.c_uint64()
        result = lib.log_remembered(self._policy, os.fsencode(self.log_state), ctypes.byref(size), error, len(error))
        if result not in (0, -errno.ENOENT):
            raise ValueError(f"{os.fspath(self.log_state)}: {error.value.decode(errors='replace')}")
        return size.value

    @property
    def needs_log(self):
        """Whether it expects something that only the log shows, or remembers that."""
        return self.log_state is not None or lib.policy_needs_log(self._policy)

    @property
    def names_enclave(self):
        """Whether it says at least which enclave it may be: a measurement, signer, issuer, instance, administrators or extension."""
        return lib.policy_names_enclave(self._policy)

    @property
    def names_program(self):
        """Whether it says which program may answer: a measurement, a signer or an issuer. All else any program can show."""
        return lib.policy_names_program(self._policy)

    def refuse_beyond_who(self):
        """ValueError if it says more than which program is to answer, and whose."""
        beyond = lib.policy_beyond_who(self._policy)
        if beyond:
            raise ValueError(f"who: {beyond.decode()} of the policy that was given would not be written down")

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


def _read(result, conflict, policy):
    if not result:
        raise MemoryError
    text = lib.result_json(result)
    lib.result_destroy(result)
    return Result(json.loads(_take(text)), policy.any_instance, conflict)


def _evidence(der, issuer=None, manifest=None, log=None, policy=None, fresh=None):
    if isinstance(manifest, str):
        manifest = manifest.encode()
    view = None
    if log:
        log._failure = None
        view = lib.log_view(log._log, policy._policy, der, len(der))
        if not view:
            raise log._error(lib.log_error(log._log))
    return lib.Evidence(der, len(der), issuer, len(issuer or b""), manifest, len(manifest or b""), view, structure(fresh))


def _failed(values, *names):
    return any(c["name"] in names and c["outcome"] == "failed" for c in values["checks"])


def _conflict(policy, log, der):
    text = lib.log_conflict(log._log, os.fsencode(policy.log_state), der, len(der))
    return _take(text).decode() if text else None


def _remember(policy, log, result, der):
    """Write down for log_state what result, of C, is of; the conflict, if another head of as many entries is there by now."""
    error = ctypes.create_string_buffer(256)
    written = lib.log_remember(log._log, result, os.fsencode(policy.log_state), error, len(error))
    conflict = _conflict(policy, log, der) if written == -errno.EEXIST else None
    if written != 0 and conflict is None:
        raise OSError(f"{os.fspath(policy.log_state)}: {error.value.decode(errors='replace')}")
    return conflict


def _verify(policy, collateral, evidence, log, live, remember=True):
    """(C result, conflict) by a policy whose lock is held. The result is the caller's."""
    lib.policy_set_live(policy._policy, live)
    result = lib.verify(policy._policy, collateral and collateral._collateral, ctypes.byref(evidence))
    if not result or not log:
        return result, None
    try:
        conflict = None
        if not lib.result_ok(result):
            values = json.loads(_take(lib.result_json(result)))
            if log._by_stranger and _failed(values, "log checkpoint", "log history", "hand-over"):
                raise LogUnanswered("what is wrong with its log came over a connection with another certificate: ask again")
            if policy.log_state is not None and _failed(values, "log history"):
                conflict = _conflict(policy, log, evidence.certificate)
        elif policy.log_state is not None and remember:
            conflict = _remember(policy, log, result, evidence.certificate)
        return result, conflict
    except BaseException:
        lib.result_destroy(result)
        raise


def _renewed(log, size):
    """Where more entries are remembered than the log has: others may have seen them, and written that down, meanwhile."""
    if log and log.size < size:
        log._renew()


def verify_certificate(der, policy, collateral=None, *, live=False, manifest=None, log=None, fresh=None):
    """Judge a certificate in DER. live: it comes from a TLS 1.3 handshake just now, which was not resumed. manifest is what
    GET /_enclave/manifest answers, log a Log, fresh what POST /__privasys/attest answered, the 32 bytes that it was challenged with, and the
    32 that TLS exports for them. What policy.log_state remembers is written, unless the enclave is refused. Raises
    LogUnanswered if what proves the log's head does not come."""
    with policy._lock:
        _renewed(log, policy._recall())
        return _read(*_verify(policy, collateral, _evidence(der, None, manifest, log, policy, fresh), log, live), policy)


def verify_quote(quote, policy, collateral=None, *, report_data=None):
    """Judge a quote alone."""
    if report_data is not None and len(report_data) != 64:
        raise ValueError("report_data: expected 64 bytes")
    return _read(lib.verify_quote(policy._policy, collateral and collateral._collateral, quote, len(quote), report_data), None,
                 policy)


def _collateral_for(collateral, der):
    if isinstance(collateral, str):
        return Collateral.fetch(collateral, der)
    return collateral(der) if callable(collateral) else collateral


def _peer(tls):
    """The peer's certificate in DER, out of a handshake that proves its key: while nobody has cut the connection."""
    if tls.version() != "TLSv1.3" or tls.session_reused:
        raise ssl.SSLError(0, "not a full TLS 1.3 handshake: nothing proves the certificate's key")
    der = tls.getpeercert(binary_form=True)
    if not der:
        raise ssl.SSLError(0, "the peer sent no certificate")
    return der


def _judge(der, policy, collateral=None, *, manifest=None, log=None, fresh=None):
    """judge, of what _peer gave."""
    return verify_certificate(der, policy, _collateral_for(collateral, der), live=True, manifest=manifest, log=log, fresh=fresh)


def judge(tls, policy, collateral=None, *, manifest=None, log=None, fresh=None):
    """The Result for the peer of a connected ssl.SSLSocket, whatever it comes to: nothing is sent. collateral may be a PCCS's address, or
    a function that is given the certificate in DER."""
    return _judge(_peer(tls), policy, collateral, manifest=manifest, log=log, fresh=fresh)


def verify_socket(tls, policy, collateral=None):
    """Verify the peer of a connected ssl.SSLSocket, before anything else is sent; raises NotVerified. The policy must say whose
    enclave it is to be. If it expects something of the configuration, or the history, or wants fresh evidence, or the certificate has no
    quote, then manifest, log and evidence are asked for over this connection, which ConnectionSpent says if it takes no further request: connect again then. NoAnswer is raised if what is needed
    does not come: nothing is known of the server then. collateral may be a PCCS's address."""
    policy.require_instance()
    der = _peer(tls)
    manifest, fresh, reusable = _seen(tls, "enclave", policy)
    log, spent = None, [] if reusable else [True]
    try:
        if policy.needs_log and reusable:
            fetch, spent = fetch_over(tls)
            log = Log(fetch)
        result = _judge(der, policy, collateral, manifest=manifest, log=log, fresh=fresh) if not (policy.needs_log and spent) else None
    except LogUnanswered:
        if not spent:
            raise
        result = None
    except LogError:  # there is none: the check says so
        result = _judge(der, policy, collateral, manifest=manifest, fresh=fresh)
    if result is not None and not (policy.needs_log and spent):
        result.raise_unless_verified()
    if spent:
        raise ConnectionSpent(0, "the server's configuration has just changed: connect again")
    return result


def client_context():
    """An ssl.SSLContext whose connections verify_socket can judge: TLS 1.3, no CA asked, since the quote decides. Where there may be
    servers of version 2, or fresh evidence is wanted, each connection needs a context of its own: else that is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context._key_log = KeyLog(context)
    return context


from ._fresh import KeyLog, structure  # noqa: E402
from ._manifest import ConnectionSpent, NoAnswer, fetch_manifest  # noqa: E402
from ._shown import _fresh_of, _seen  # noqa: E402
from ._log import Log, LogError, LogUnanswered, fetch_over  # noqa: E402
from ._ca import ExistsError, fetch_ca, policy_from, save_ca  # noqa: E402 (it is made of the above)
from ._history import compare_logs, fetch_log  # noqa: E402
