"""The C library's functions. Their meaning is written in verifier.h and verifier_fetch.h."""
import ctypes
import ctypes.util
import pathlib

_bundled = pathlib.Path(__file__).with_name("libenclave-verifier.so")
_name = str(_bundled) if _bundled.exists() else ctypes.util.find_library("enclave-verifier")
if not _name:
    raise ImportError("libenclave-verifier is neither in this package nor installed")
_library = ctypes.CDLL(_name)

_pointer, _bytes, _size, _int, _bool = (
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_bool)


class FetchOptions(ctypes.Structure):
    """struct verifier_fetch_options"""
    _fields_ = [("ca_file", _bytes), ("timeout_ms", ctypes.c_uint), ("any_certificate", _bool)]


class Inclusion(ctypes.Structure):
    """struct verifier_inclusion"""
    _fields_ = [("leaf_index", ctypes.c_uint64), ("tree_size", ctypes.c_uint64), ("path", _bytes), ("path_count", _size)]


class Fresh(ctypes.Structure):
    """struct verifier_fresh"""
    _fields_ = [("answer", _bytes), ("answer_size", _size), ("context", ctypes.c_uint8 * 32), ("exported", ctypes.c_uint8 * 32)]


class Evidence(ctypes.Structure):
    """struct verifier_evidence"""
    _fields_ = [("certificate", _bytes), ("certificate_size", _size), ("issuer", _bytes), ("issuer_size", _size),
                ("manifest", _bytes), ("manifest_size", _size), ("log", _pointer), ("fresh", ctypes.POINTER(Fresh))]


class Administrator(ctypes.Structure):
    """struct verifier_administrator"""
    _fields_ = [("role", _int), ("key", ctypes.c_uint8 * 32)]


ROLES = ("admin", "deploy", "monitor")  # enum verifier_role


def _declare(name, result, *arguments):
    function = getattr(_library, "verifier_" + name)
    function.restype = result
    function.argtypes = arguments
    return function


policy_create = _declare("policy_create", _pointer)
policy_destroy = _declare("policy_destroy", None, _pointer)
policy_allow_simulation = _declare("policy_allow_simulation", None, _pointer, _bool)
policy_allow_debug = _declare("policy_allow_debug", None, _pointer, _bool)
policy_set_roots = _declare("policy_set_roots", _int, _pointer, _bytes, _size)
policy_add_mrenclave = _declare("policy_add_mrenclave", _int, _pointer, _bytes)
policy_set_mrsigner = _declare("policy_set_mrsigner", None, _pointer, _bytes)
policy_set_prod_id = _declare("policy_set_prod_id", None, _pointer, ctypes.c_uint16)
policy_set_min_svn = _declare("policy_set_min_svn", None, _pointer, ctypes.c_uint16)
policy_accept_tcb = _declare("policy_accept_tcb", _int, _pointer, _int)
policy_require_collateral = _declare("policy_require_collateral", None, _pointer, _bool)
policy_set_time = _declare("policy_set_time", None, _pointer, ctypes.c_int64)
policy_set_live = _declare("policy_set_live", None, _pointer, _bool)
policy_set_issuer = _declare("policy_set_issuer", _int, _pointer, _bytes, _size)
policy_expect_extension = _declare("policy_expect_extension", _int, _pointer, _bytes, _bytes, _size)
policy_expect_app = _declare("policy_expect_app", _int, _pointer, _bytes, _bytes, ctypes.POINTER(Inclusion))
policy_set_max_lifetime = _declare("policy_set_max_lifetime", None, _pointer, ctypes.c_int64)
policy_expect_code = _declare("policy_expect_code", _int, _pointer, _bytes, _bytes)
policy_expect_settings = _declare("policy_expect_settings", _int, _pointer, _bytes, _bytes)
policy_expect_egress = _declare("policy_expect_egress", _int, _pointer, _bytes, _bytes)
policy_only_apps = _declare("policy_only_apps", None, _pointer, _bool)
policy_expect_administrators = _declare("policy_expect_administrators", _int, _pointer, ctypes.c_uint,
                                        ctypes.POINTER(Administrator), _size)
policy_expect_upgrade_rule = _declare("policy_expect_upgrade_rule", _int, _pointer, _bytes, _size)
policy_add_predecessor = _declare("policy_add_predecessor", _int, _pointer, _bytes)
policy_expect_instance = _declare("policy_expect_instance", _int, _pointer, _bytes)
policy_accept_any_instance = _declare("policy_accept_any_instance", None, _pointer, _bool)
policy_names_instance = _declare("policy_names_instance", _bool, _pointer)
policy_names_enclave = _declare("policy_names_enclave", _bool, _pointer)
policy_names_program = _declare("policy_names_program", _bool, _pointer)
policy_needs_manifest = _declare("policy_needs_manifest", _bool, _pointer)
policy_require_fresh = _declare("policy_require_fresh", None, _pointer, _bool)
policy_needs_log = _declare("policy_needs_log", _bool, _pointer)
policy_read = _declare("policy_read", _int, _pointer, _bytes, _size, _bytes, _size)
policy_write = _declare("policy_write", _pointer, _pointer, _pointer, ctypes.POINTER(Evidence), _bool)
policy_beyond_who = _declare("policy_beyond_who", ctypes.c_char_p, _pointer)
tcb_status_from_name = _declare("tcb_status_from_name", _int, _bytes)

collateral_create = _declare("collateral_create", _pointer)
collateral_destroy = _declare("collateral_destroy", None, _pointer)
collateral_load = _declare("collateral_load", _int, _pointer, _bytes, _bytes, _size)
collateral_save = _declare("collateral_save", _int, _pointer, _bytes, _bytes, _size)
collateral_fetch_for = _declare("collateral_fetch_for", _int, _pointer, _bytes, _bytes, _size,
                                ctypes.POINTER(FetchOptions), _bytes, _size)

LogFetch = ctypes.CFUNCTYPE(_int, _pointer, _bytes, _size, ctypes.POINTER(_pointer), ctypes.POINTER(_size))
log_open = _declare("log_open", _pointer, LogFetch, _pointer, _bytes, _size)
log_close = _declare("log_close", None, _pointer)
log_size = _declare("log_size", ctypes.c_uint64, _pointer)
log_root = _declare("log_root", _pointer, _pointer)
log_checkpoint = _declare("log_checkpoint", _pointer, _pointer, ctypes.POINTER(_size))
log_error = _declare("log_error", _bytes, _pointer)
log_view = _declare("log_view", _pointer, _pointer, _pointer, _bytes, _size)
log_entry = _declare("log_entry", _int, _pointer, ctypes.c_uint64, ctypes.POINTER(_pointer), ctypes.POINTER(_size))
log_remembered = _declare("log_remembered", _int, _pointer, _bytes, ctypes.POINTER(ctypes.c_uint64), _bytes, _size)
log_remember = _declare("log_remember", _int, _pointer, _pointer, _bytes, _bytes, _size)
log_conflict = _declare("log_conflict", _pointer, _pointer, _bytes, _bytes, _size)


class Consistency(ctypes.Structure):
    """struct verifier_consistency"""
    _fields_ = [("old_size", ctypes.c_uint64), ("new_size", ctypes.c_uint64), ("path", _pointer), ("path_count", _size)]


log_prove = _declare("log_prove", _int, _pointer, ctypes.c_uint64, ctypes.POINTER(Consistency))
consistency_roots = _declare("consistency_roots", _bool, ctypes.POINTER(Consistency), _pointer, _pointer)


class Comparison(ctypes.Structure):
    """struct verifier_log_comparison"""
    _fields_ = [("outcome", _int), ("size", ctypes.c_uint64), ("root", ctypes.c_uint8 * 32), ("why", ctypes.c_char * 512),
                ("evidence", _pointer)]


log_compare = _declare("log_compare", _int, _bytes, _bytes, _pointer, _bytes, _size, ctypes.POINTER(Comparison))
malloc = ctypes.CDLL(None).malloc  # what the library frees
malloc.restype, malloc.argtypes = _pointer, (_size,)

verify = _declare("verify", _pointer, _pointer, _pointer, ctypes.POINTER(Evidence))
verify_quote = _declare("verify_quote", _pointer, _pointer, _pointer, _bytes, _size, _bytes)
result_ok = _declare("result_ok", _bool, _pointer)
result_json = _declare("result_json", _pointer, _pointer)
result_destroy = _declare("result_destroy", None, _pointer)
free = _declare("free", None, _pointer)
