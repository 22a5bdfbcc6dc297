"""An instance's log over the network, as verifier_log.h has it: its head, its entries, and what proves them."""
import ctypes
import errno
import socket

from . import _library as lib
from ._manifest import NoAnswer, fetch_page, is_later

_NAMED = bytes.fromhex("060a2b0601040183fd4e0404")  # 1.3.6.1.4.1.65230.4.4, as certificates have it


class LogError(OSError):
    """The server's log cannot be read, or is none."""


class LogUnanswered(NoAnswer, LogError):
    """Something of the log did not come. Nothing is known of the server: ask again."""


def has_log(der):
    """Whether a certificate names a log's key. What it is worth, the verification says."""
    return _NAMED in der


class Log:
    """The head of a log and all entries up to there. fetch(path, limit) gets /_enclave/log/PATH, of at most limit bytes, or None
    if there is nothing of that name; it raises LogError if something else comes, and anything if nothing does. It may come from
    anybody, since all of it is signed or hashed. What the head is worth is what a verification says that had the log."""

    def __init__(self, fetch):
        self._log = None
        self._failure = None

        def get(_, path, limit, data, size):
            try:
                body = fetch(path.decode(), limit)
            except LogError as e:
                self._failure = e
                return -errno.EPROTO
            except Exception as e:  # nothing may get into the library
                self._failure = e
                return -errno.EIO
            if body is None:
                return -errno.ENOENT
            memory = lib.malloc(len(body) + 1)
            if not memory or len(body) > limit:
                return -errno.ENOMEM if not memory else -errno.EBADMSG
            ctypes.memmove(memory, body, len(body))
            data[0], size[0] = memory, len(body)
            return 0

        self._source = fetch
        self._fetch = lib.LogFetch(get)  # as long as the log
        self._renew()

    def _renew(self):
        """The head as it is now."""
        error = ctypes.create_string_buffer(256)
        self._failure = None
        log = lib.log_open(self._fetch, None, error, len(error))
        if not log:
            raise self._error(error.value)
        if self._log:
            lib.log_close(self._log)
        self._log = log

    def _error(self, text):
        """What is to be raised now."""
        failure = self._failure
        kind = LogError if failure is None or (isinstance(failure, LogError) and not isinstance(failure, NoAnswer)) else LogUnanswered
        error = kind(text.decode(errors="replace"))
        error.__cause__ = failure
        return error

    @property
    def _by_stranger(self):
        """Whether some of it came over a connection with another certificate than the one that is judged."""
        return getattr(self._source, "stranger", False)

    @property
    def size(self):
        return lib.log_size(self._log)

    @property
    def root(self):
        return ctypes.string_at(lib.log_root(self._log), 32)

    @property
    def checkpoint(self):
        """The signed text of the head (C2SP tlog-checkpoint)."""
        size = ctypes.c_size_t()
        text = lib.log_checkpoint(self._log, ctypes.byref(size))
        return ctypes.string_at(text, size.value).decode()

    def entry(self, index):
        """The entry's bytes, proven to be those of that index; raises LogError."""
        if not 0 <= index < self.size:
            raise IndexError(f"there is no entry {index}")
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        self._failure = None
        if lib.log_entry(self._log, index, ctypes.byref(data), ctypes.byref(size)) != 0:
            raise self._error(lib.log_error(self._log))
        return ctypes.string_at(data, size.value)

    def _roots(self, old_size):
        """The roots of the tree of the first old_size entries and of the whole one, as they follow from the server's hashes; None: they
        do not. Raises LogUnanswered."""
        proof, roots = lib.Consistency(), [(ctypes.c_uint8 * 32)(), (ctypes.c_uint8 * 32)()]
        self._failure = None
        if lib.log_prove(self._log, old_size, ctypes.byref(proof)) != 0:
            error = self._error(lib.log_error(self._log))
            if isinstance(error, LogUnanswered):
                raise error
            return None
        return tuple(bytes(root) for root in roots) if lib.consistency_roots(ctypes.byref(proof), *roots) else None

    def entries(self, start=0):
        for index in range(start, self.size):
            yield self.entry(index)

    def __del__(self):
        if getattr(self, "_log", None):
            lib.log_close(self._log)


def _page(tls, path, limit, host):
    """(body, or None if there is none of that name; whether the connection takes another request)"""
    status, body, reusable = fetch_page(tls, f"/_enclave/log/{path}", limit, host)
    if is_later(status):
        raise NoAnswer(f"{path}: it answers {status}")
    if status not in (200, 404):
        raise LogError("its answer cannot be read" if status is None else f"it answers {status}")
    return (body if status == 200 else None), reusable


def fetch_over(tls, host="enclave"):
    """What Log wants, over a connected socket; and a list that is empty until the server closes that."""
    spent = []

    def fetch(path, limit):
        if spent:
            raise NoAnswer("the server closes this connection")
        body, reusable = _page(tls, path, limit, host)
        if not reusable:
            spent.append(path)
        return body

    return fetch, spent


class Source:
    """What Log wants: over the connection that is judged, while it takes requests, and over others, whose word counts for what is
    signed or hashed and for nothing else (stranger: one of them had another certificate)."""

    def __init__(self, tls, leaf, host, port, context, timeout=600, reusable=True):
        self.stranger = False
        self._tls, self._leaf = tls if reusable else None, leaf
        self._host, self._port, self._context, self._timeout = host, port, context, timeout

    def release(self):
        """The judged connection is used no more."""
        self._tls = None

    def __call__(self, path, limit):
        if self._tls:
            try:
                body, reusable = _page(self._tls, path, limit, self._host)
                self._tls = self._tls if reusable else None
                return body
            except NoAnswer:  # the server may have closed it meanwhile
                self._tls = None
        with socket.create_connection((self._host, self._port), self._timeout) as raw:
            with self._context.wrap_socket(raw, server_hostname=self._host) as tls:
                self.stranger |= tls.getpeercert(binary_form=True) != self._leaf
                return _page(tls, path, limit, self._host)[0]
