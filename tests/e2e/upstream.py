"""A server for outgoing requests: honest answers of every framing, and hostile ones. upstream.py PORT [CERT KEY [MAX_TLS]]

A connection is kept as long as answers are honest. Raw sockets: a library would not say what the hostile paths say.
"""
import hashlib
import itertools
import os
import socket
import ssl
import struct
import sys
import threading
import time


def read_head(f):
    line = f.readline().decode()
    headers = {}
    while (h := f.readline().decode().rstrip("\r\n")):
        name, _, value = h.partition(":")
        headers[name.lower()] = value.strip()
    return line.split(" ")[0], line.split(" ")[1], headers


def read_body(f, headers):
    """The body's bytes; None if it broke off."""
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            line = f.readline()
            if not line:
                return None
            size = int(line, 16)
            chunk = f.read(size)
            if len(chunk) < size:
                return None
            f.readline()
            if size == 0:
                return body
            body += chunk
    size = int(headers.get("content-length", 0))
    body = f.read(size)
    return body if len(body) == size else None


def pattern(size):
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


def chunked(body, trailers=b""):
    out = b""
    for i in range(0, len(body), 5000):
        out += b"%x;ext=1\r\n%s\r\n" % (len(body[i:i + 5000]), body[i:i + 5000])
    return out + b"0\r\n" + trailers + b"\r\n"


OK = b"HTTP/1.1 200 OK\r\n"
HOSTILE = {
    "/two-lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "/both": OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "/coding": OK + b"transfer-encoding: gzip\r\n\r\nabc",
    "/folded": OK + b"x-test: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    "/nul": OK + b"x-test: a\0b\r\ncontent-length: 0\r\n\r\n",
    "/no-version": b"HTTQ 200\r\n\r\n",
    "/http2": b"HTTP/2.0 200 OK\r\n\r\n",
    "/switch": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "/interims": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000,
    "/empty-lines": b"\r\n" * 200000 + OK + b"content-length: 2\r\n\r\nok",
    "/reason": b"HTTP/1.1 200 " + b"x" * 400000 + b"\r\ncontent-length: 2\r\n\r\nok",
    "/head-size": OK + b"".join(b"x-%d: %s\r\n" % (i, b"y" * 1000) for i in range(200)) + b"\r\n",
    "/lines": OK + b"".join(b"x-%d: y\r\n" % i for i in range(2000)) + b"\r\n",
    "/negative": OK + b"content-length: -5\r\n\r\n",
    "/huge": OK + b"content-length: 99999999999999999999999\r\n\r\n",
    "/chunk-size": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "/garbage": bytes(range(256)) * 16,
    "/nothing": b"",
}
SEEN = {}
HITS = {}  # how often each path was asked for
NUMBERS = itertools.count(1)
KEEP = object()  # as an answer's end: the next request may come
SMUGGLED = OK + b"content-length: 8\r\n\r\nsmuggled"


class Connection:
    """What has come over it, for those who ask."""

    def __init__(self):
        self.number = next(NUMBERS)
        self.requests = 0
        self.tests = set()  # of all its requests' x-test
        self.deaf = False

    def answer(self, s, method, path, headers, body):
        """As answer; KEEP where the client has not asked for the end."""
        self.requests += 1
        self.tests.add(headers.get("x-test", ""))
        if self.deaf:  # it takes a request, and ends
            return True
        if path == "/connection":  # its number, how many requests came over it, and whose
            say(s, b"%d %d %s" % (self.number, self.requests, " ".join(sorted(self.tests)).encode()))
        elif path == "/smuggle":
            s.sendall(OK + b"content-length: 2\r\n\r\nok" + SMUGGLED)
        elif path == "/later":
            say(s, b"ok")
            time.sleep(0.3)
            s.sendall(SMUGGLED)
            SEEN[path] = "said"
        elif path == "/hang-up":
            say(s, b"ok")
            return True
        elif path == "/deaf":
            say(s, b"ok")
            self.deaf = True
        elif path == "/announce":
            s.sendall(OK + b"connection: close\r\ncontent-length: 2\r\n\r\nok")
        elif answer(s, method, path, headers, body) is not KEEP:
            return path.split("/")[1] not in ("cut", "never", "never-body")
        return True if headers.get("connection") == "close" else KEEP


def say(s, body):
    s.sendall(OK + b"content-length: %d\r\n\r\n%s" % (len(body), body))


def answer(s, method, path, headers, body):
    if path in HOSTILE:
        s.sendall(HOSTILE[path])
        return True
    elif path.startswith("/bytes/"):
        size = int(path.rsplit("/", 1)[1])
        s.sendall(OK + b"content-type: x/y\r\nx-test: one\r\ncontent-length: %d\r\n\r\n" % size)
        if method != "HEAD":
            s.sendall(pattern(size))
    elif path.startswith("/chunked/"):
        s.sendall(OK + b"Transfer-Encoding: Chunked\r\n\r\n" + chunked(pattern(int(path.rsplit("/", 1)[1])), b"x-sum: 1\r\n"))
    elif path.startswith("/until-end/") or path.startswith("/cut/"):
        s.sendall(OK + b"\r\n" + pattern(int(path.rsplit("/", 1)[1])))
        return True
    elif path == "/short":
        s.sendall(OK + b"content-length: 100\r\n\r\nabc")
        return True
    elif path == "/echo":
        s.sendall(OK + b"content-length: %d\r\nx-test: %s\r\n\r\n" % (len(body), headers.get("x-test", "").encode()) + body)
    elif path == "/head":
        say(s, b"%s %s %s" % (method.encode(), headers.get("host").encode(),
                              headers.get("transfer-encoding", headers.get("content-length", "none")).encode()))
    elif path == "/seen":
        say(s, repr(sorted(SEEN.items())).encode())
    elif path.startswith("/hits/"):
        say(s, b"%d" % HITS.get(path[5:], 0))
    elif path == "/redirect":
        s.sendall(b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n")
    elif path == "/interim":
        s.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK + b"content-length: 4\r\n\r\nlate")
    elif path == "/no-content":
        s.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif path == "/slow-head":
        time.sleep(4)
        s.sendall(OK + b"content-length: 0\r\n\r\n")
    elif path == "/never":  # until the client has gone
        s.recv(1)
        return True
    elif path == "/never-body":
        s.sendall(OK + b"content-length: 4\r\n\r\nab")
        s.recv(1)
        return True
    elif path in ("/reset", "/reset-body"):  # not even a FIN: the other side's TCP is told that there is no connection
        if path == "/reset-body":
            s.sendall(OK + b"content-length: 4\r\n\r\nab")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(s.detach())
    elif path == "/trickle":
        s.sendall(OK + b"content-length: 6\r\n\r\n")
        for c in b"abcdef":
            time.sleep(0.2)
            s.sendall(bytes([c]))
    else:
        s.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
    return KEEP


def serve(raw, context):
    try:
        s = context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False) if context else raw
        f = s.makefile("rb")
        connection = Connection()
        how = KEEP
        while how is KEEP:
            method, path, headers = read_head(f)
            SEEN[path] = "begun"
            HITS[path] = HITS.get(path, 0) + 1
            try:
                body = read_body(f, headers)
            except (OSError, ValueError):
                body = None
            SEEN[path] = "broken" if body is None else hashlib.sha256(body).hexdigest()[:8]
            how = body is not None and connection.answer(s, method, path, headers, body)
        if how and context:
            s.unwrap()
            SEEN[path] = "a close_notify"
    except (OSError, ValueError, IndexError):
        pass
    finally:
        raw.close()


def make_context(cert, key, max_tls="TLSv1_3"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = getattr(ssl.TLSVersion, max_tls)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(cert, key)
    return context


def main():
    context = make_context(*sys.argv[2:]) if len(sys.argv) > 2 else None
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=serve, args=(raw, context), daemon=True).start()


main()
